#include "capi/pool.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "capi/options.h"
#include "cpu/cpu_backend.h"
#include "cpu/dispatch.h"
#include "engine/indices.h"
#include "engine/pool_options.h"
#include "engine/system.h"
#include "reference/reference_backend.h"

namespace qdit::capi {
namespace {

constexpr std::int64_t kDefaultCacheBytes = 512'000'000;

DType dtype_of(const char* name, std::int32_t got) {
  switch (got) {
    case QDIT_FLOAT16:
      return DType::kFloat16;
    case QDIT_BFLOAT16:
      return DType::kBFloat16;
    case QDIT_FLOAT32:
      return DType::kFloat32;
    case QDIT_FLOAT64:
      return DType::kFloat64;
    default:
      throw std::invalid_argument(std::string(name) + ": got " + std::to_string(got) +
                                  ", wanted QDIT_FLOAT16, QDIT_BFLOAT16, QDIT_FLOAT32 or QDIT_FLOAT64.");
  }
}

RowView row_view(const char* name, const void* data, Index n, Index d, DType dtype) {
  not_null(name, data);
  const auto item = static_cast<Index>(item_size(dtype));
  if (reinterpret_cast<std::uintptr_t>(data) % static_cast<std::uintptr_t>(item) != 0) {
    throw std::invalid_argument(std::string(name) + ": the data does not start at a multiple of the " +
                                std::to_string(item) + " bytes of an item.");
  }
  if (n > INT64_MAX / item / d) {
    throw std::invalid_argument(std::string(name) + ": " + std::to_string(n) + " rows of " +
                                std::to_string(d) + " items are more than memory can hold.");
  }
  RowView rows;
  rows.data = static_cast<const std::byte*>(data);
  rows.n = n;
  rows.d = d;
  rows.dtype = dtype;
  rows.name = name;
  return rows;
}

std::size_t cache_bytes(std::int64_t asked) {
  if (asked > 0) return static_cast<std::size_t>(asked);
  const auto available = available_memory();
  return static_cast<std::size_t>(available ? std::min(kDefaultCacheBytes, *available / 4)
                                            : kDefaultCacheBytes);
}

PoolOptions engine_options(const qdit_pool_options& given) {
  PoolOptions options;
  const Index n = at_least<Index>("n", given.n, 1);
  const Index d = at_least<Index>("d", given.d, 1);
  options.rows = row_view("rows", given.rows, n, d, dtype_of("dtype", given.dtype));
  if (at_least<Index>("outside_n", given.outside_n, 0) > 0) {
    options.outside = row_view("outside", given.outside, given.outside_n, d,
                               dtype_of("outside_dtype", given.outside_dtype));
  }
  options.metric = choice("metric", given.metric, {Metric::kCosine, Metric::kDot});
  options.zero_rows = choice("zero_rows", given.zero_rows, {ZeroRows::kError, ZeroRows::kIgnore});
  if (choice("has_floor", given.has_floor, {false, true})) options.floor = given.floor;
  options.threads = at_least("threads", given.threads, 0);
  if (options.threads == 0) options.threads = usable_processors();
  if (given.simd != nullptr) options.simd = given.simd;
  options.cache_bytes = cache_bytes(at_least<std::int64_t>("cache_bytes", given.cache_bytes, 0));
  return options;
}

}  // namespace
}  // namespace qdit::capi

qdit_pool::qdit_pool(const qdit_pool_options& given) : d_(given.d), threads_(1) {
  auto options = qdit::capi::engine_options(given);
  options.interrupt = qdit::Interrupt([this] {
    if (watcher_ != nullptr) watcher_->poll();
  });
  const bool reference = qdit::capi::choice("backend", given.backend, {false, true});
  if (reference) {
    backend_ = qdit::make_reference_backend(std::move(options));
  } else {
    simd_ = qdit::cpu::select_kernels(options.simd).name;
    threads_ = options.threads;
    backend_ = qdit::make_cpu_backend(std::move(options));
  }
  backend_->reset({});
}

qdit_pool_info qdit_pool::info() const {
  const auto ignored = backend_->ignored();
  const auto stats = backend_->stats();
  qdit_pool_info info{};
  info.size = sizeof info;
  info.n = backend_->size();
  info.d = d_;
  info.ignored_count = static_cast<qdit::Index>(ignored.size());
  info.ignored = ignored.data();
  info.simd = simd_;
  info.threads = threads_;
  info.evaluations = stats.evaluations;
  info.peak_bytes = stats.peak_bytes;
  return info;
}

void qdit_pool::check_rows(const char* name, std::span<const qdit::Index> rows) const {
  qdit::check_indices(rows, backend_->size(), name);
  const auto ignored = backend_->ignored();
  for (const qdit::Index row : rows) {
    if (std::binary_search(ignored.begin(), ignored.end(), row)) {
      throw std::invalid_argument(std::string(name) + ": row " + std::to_string(row) +
                                  " is all zeros and takes no part.");
    }
  }
}

std::span<qdit::Fixed> qdit_pool::fresh_bounds() {
  bounds_.assign(static_cast<std::size_t>(backend_->size()), qdit::kUnknownBound);
  return bounds_;
}
