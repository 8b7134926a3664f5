// One small pool behind libqdit, for the tests that see it through its header.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "check.h"
#include "pools.h"
#include "qdit.h"

inline constexpr int64_t kRows = 120;
inline constexpr int64_t kColumns = 8;
inline constexpr int64_t kPicks = 25;

inline const IntegerPool& pool() {
  static const IntegerPool shared(kRows, kColumns, 5);
  return shared;
}

inline const std::vector<double>& scores() {
  static const std::vector<double> shared = [] {
    std::vector<double> values(kRows);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i * 7 % 11);
    return values;
  }();
  return shared;
}

inline qdit_pool_options pool_options() {
  qdit_pool_options options{};
  options.size = sizeof options;
  options.rows = pool().values.data();
  options.n = kRows;
  options.d = kColumns;
  options.dtype = QDIT_FLOAT32;
  options.metric = QDIT_DOT;
  options.threads = 2;
  return options;
}

inline qdit_select_options select_options() {
  qdit_select_options options{};
  options.size = sizeof options;
  options.k = kPicks;
  options.alpha = 0.75;
  options.quality = scores().data();
  return options;
}

struct Pool {
  explicit Pool(const qdit_pool_options& options = pool_options()) {
    CHECK(qdit_pool_open(&options, &handle) == QDIT_OK);
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool() { CHECK(qdit_pool_close(handle) == QDIT_OK); }
  qdit_pool* handle = nullptr;
};

struct Picks {
  std::vector<int64_t> indices;
  std::vector<double> gains;
  qdit_status status;
  bool operator==(const Picks&) const = default;
};

inline Picks select(qdit_pool* handle, const qdit_select_options& options) {
  Picks picks{std::vector<int64_t>(kRows), std::vector<double>(kRows), QDIT_OK};
  int64_t count = -1;
  picks.status = qdit_select(handle, &options, picks.indices.data(), picks.gains.data(), &count);
  picks.indices.resize(static_cast<std::size_t>(count));
  picks.gains.resize(static_cast<std::size_t>(count));
  return picks;
}

inline void check_refused(qdit_status got, qdit_status status, const char* text) {
  CHECK(got == status);
  if (std::strstr(qdit_last_error(), text) == nullptr) {
    check::fail(__FILE__, __LINE__, std::string("another message: ") + qdit_last_error());
  }
}
