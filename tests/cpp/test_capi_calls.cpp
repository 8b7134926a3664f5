// Calls of libqdit that must not work, and what a caller may rely on when they do not.
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "capi.h"
#include "check.h"

TEST(the_version_is_that_of_the_header) {
  CHECK(std::string(qdit_version()) == QDIT_VERSION_STRING);
  CHECK(qdit_version_number() == QDIT_VERSION_NUMBER);
}

TEST(wrong_options_are_refused) {
  qdit_pool* none = nullptr;
  auto rows = pool_options();
  const auto opening = [&](auto change, const char* text) {
    rows = pool_options();
    change(rows);
    check_refused(qdit_pool_open(&rows, &none), QDIT_ERROR_ARGUMENT, text);
    CHECK(none == nullptr);
  };
  opening([](auto& o) { o.size = 8; }, "options: got size 8");
  opening([](auto& o) { o.rows = nullptr; }, "rows: got NULL");
  opening([](auto& o) { o.n = 0; }, "n: got 0");
  opening([](auto& o) { o.n = INT64_MAX; }, "more than memory can hold");
  opening([](auto& o) { o.dtype = 0; }, "dtype: got 0");
  opening([](auto& o) { o.metric = 2; }, "metric: got 2");
  opening([](auto& o) { o.threads = -1; }, "threads: got -1");
  opening([](auto& o) { o.simd = "mmx"; }, "simd: got \"mmx\"");
  opening([](auto& o) { o.rows = static_cast<const char*>(o.rows) + 1; }, "multiple of the 4 bytes");
  opening([](auto& o) { o.outside_n = 1; }, "outside_dtype: got 0");
  check_refused(qdit_pool_open(nullptr, &none), QDIT_ERROR_ARGUMENT, "options: got NULL");
  check_refused(qdit_pool_open(&rows, nullptr), QDIT_ERROR_ARGUMENT, "pool: got NULL");
  check_refused(qdit_coverage(nullptr, nullptr), QDIT_ERROR_ARGUMENT, "pool: got NULL");
  CHECK(qdit_pool_close(nullptr) == QDIT_OK);

  const Pool opened;
  const auto selecting = [&](auto change, const char* text) {
    auto options = select_options();
    change(options);
    const auto got = select(opened.handle, options);
    check_refused(got.status, QDIT_ERROR_ARGUMENT, text);
    CHECK(got.indices.empty());
  };
  auto bad = scores();
  bad[9] = std::numeric_limits<double>::quiet_NaN();
  const int64_t outside = kRows;
  selecting([](auto& o) { o.k = 0; }, "k: got 0");
  selecting([](auto& o) { o.k = kRows + 1; }, "k: got 121, wanted at most the 120");
  selecting([](auto& o) { o.alpha = 1.5; }, "alpha: got 1.5");
  selecting([](auto& o) { o.method = 4; }, "method: got 4");
  selecting([](auto& o) { o.quality = nullptr; }, "quality: got NULL");
  selecting([&](auto& o) { o.quality = bad.data(); }, "quality: row 9 is");
  selecting(
      [&](auto& o) {
        o.given = &outside;
        o.given_count = 1;
      },
      "given: position 0 is row 120");
  selecting([](auto& o) { o.given_count = 1; }, "given: got NULL");
  selecting(
      [&](auto& o) {
        o.resume = &outside;
        o.resume_count = 1;
      },
      "resume: position 0 is row 120");
  selecting([](auto& o) { o.budget = 1.0; }, "costs: got NULL");
  selecting([&](auto& o) { o.quotas = &outside; }, "groups and quotas");
  double gain = 0.0;
  check_refused(qdit_gains(opened.handle, &outside, 1, &gain), QDIT_ERROR_ARGUMENT, "candidates: position 0");
  check_refused(qdit_commit(opened.handle, nullptr, 2, nullptr), QDIT_ERROR_ARGUMENT, "rows: got NULL");
}

TEST(rows_of_zeros_take_no_part_where_asked) {
  std::vector<float> rows(12, 1.0f);
  rows[4] = rows[5] = 0.0f;
  auto options = pool_options();
  options.rows = rows.data();
  options.n = 6;
  options.d = 2;
  options.metric = QDIT_COSINE;
  qdit_pool* none = nullptr;
  check_refused(qdit_pool_open(&options, &none), QDIT_ERROR_ARGUMENT, "rows: row 2 is all zeros");
  options.zero_rows = QDIT_ZERO_ROWS_IGNORE;
  const Pool opened(options);
  qdit_pool_info info{};
  info.size = sizeof info;
  CHECK(qdit_pool_get_info(opened.handle, &info) == QDIT_OK);
  CHECK(info.n == 6 && info.d == 2 && info.ignored_count == 1 && info.ignored[0] == 2 && info.threads == 2);
  check_refused(qdit_commit(opened.handle, info.ignored, 1, nullptr), QDIT_ERROR_ARGUMENT,
                "row 2 is all zeros");
}

TEST(options_of_other_versions_of_the_header) {
  struct {
    qdit_select_options known;
    int64_t newer;
  } options{select_options(), 0};
  options.known.size = sizeof options;
  const Pool opened;
  CHECK(select(opened.handle, options.known).status == QDIT_OK);
  options.newer = 1;
  check_refused(select(opened.handle, options.known).status, QDIT_ERROR_ARGUMENT, "is of a newer qdit.h");
}

TEST(a_pool_serves_one_call_at_a_time) {
  struct Nested {
    qdit_pool* pool;
    qdit_status select = QDIT_OK;
    qdit_status close = QDIT_OK;
  };
  const Pool opened;
  Nested nested{opened.handle};
  auto options = select_options();
  options.user = &nested;
  options.progress = [](const qdit_progress*, void* user) -> int32_t {
    auto& here = *static_cast<Nested*>(user);
    int64_t row = 0;
    int64_t count = 0;
    const auto again = select_options();
    here.select = qdit_select(here.pool, &again, &row, nullptr, &count);
    here.close = qdit_pool_close(here.pool);
    return 0;
  };
  CHECK(select(opened.handle, options).status == QDIT_OK);
  CHECK(nested.select == QDIT_ERROR_STATE && nested.close == QDIT_ERROR_STATE);
}

TEST(pools_and_messages_belong_to_threads) {
  check_refused(qdit_reset(nullptr, nullptr, 0), QDIT_ERROR_ARGUMENT, "pool: got NULL");
  Picks elsewhere;
  std::string message = "?";
  std::thread other([&] {
    message = qdit_last_error();
    const Pool mine;
    elsewhere = select(mine.handle, select_options());
  });
  const Pool opened;
  const auto here = select(opened.handle, select_options());
  other.join();
  CHECK(message.empty() && elsewhere == here && here.status == QDIT_OK);
}

int main() { return check::run(); }
