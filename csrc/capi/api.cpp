// The functions of qdit.h: nothing that is thrown gets out of them.
#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>
#include <span>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "capi/options.h"
#include "capi/pool.h"
#include "capi/qdit.h"
#include "capi/selecting.h"

namespace {

using qdit::Fixed;
using qdit::Index;
using qdit::capi::array;
using qdit::capi::not_null;
using InUse = qdit_pool::InUse;

// python/qdit/_version.py has the version, and qdit.h must follow it.
static_assert(std::string_view(QDIT_VERSION_STRING) == QDIT_PROJECT_VERSION);
static_assert(QDIT_VERSION_NUMBER ==
              QDIT_PROJECT_MAJOR * 10000 + QDIT_PROJECT_MINOR * 100 + QDIT_PROJECT_PATCH);

// Sizes of the first version of each struct. They stay as they are when members are added.
constexpr std::size_t kPoolOptions = offsetof(qdit_pool_options, reserved) + sizeof(int32_t);
constexpr std::size_t kSelectOptions = offsetof(qdit_select_options, interval) + sizeof(double);
constexpr std::size_t kPoolInfo = offsetof(qdit_pool_info, peak_bytes) + sizeof(int64_t);

// Not a string: to say that memory is out must not need any.
thread_local char last_error[1024] = "";

qdit_status failed(qdit_status status, const char* message) noexcept {
  std::snprintf(last_error, sizeof last_error, "%s", message);
  return status;
}

template <class Body>
qdit_status guarded(const Body& body) noexcept {
  try {
    body();
    return QDIT_OK;
  } catch (const qdit::capi::Cancelled& error) {
    return failed(QDIT_CANCELLED, error.what());
  } catch (const std::bad_alloc&) {
    return failed(QDIT_ERROR_MEMORY, "out of memory; pass smaller pair_bytes and cache_bytes.");
  } catch (const std::length_error&) {
    return failed(QDIT_ERROR_MEMORY, "out of memory: more was needed than can be addressed.");
  } catch (const std::invalid_argument& error) {
    return failed(QDIT_ERROR_ARGUMENT, error.what());
  } catch (const std::logic_error& error) {
    return failed(QDIT_ERROR_STATE, error.what());
  } catch (const std::exception& error) {
    return failed(QDIT_ERROR_RUNTIME, error.what());
  } catch (...) {
    return failed(QDIT_ERROR_RUNTIME, "unknown error.");
  }
}

void to_similarity(const std::vector<Fixed>& from, double scale, double* to) {
  for (std::size_t i = 0; i < from.size(); ++i) to[i] = static_cast<double>(from[i]) / scale;
}

}  // namespace

const char* qdit_version(void) { return QDIT_VERSION_STRING; }

int32_t qdit_version_number(void) { return QDIT_VERSION_NUMBER; }

const char* qdit_last_error(void) { return last_error; }

qdit_status qdit_pool_open(const qdit_pool_options* options, qdit_pool** pool) {
  return guarded([&] {
    *not_null("pool", pool) = nullptr;
    *pool = new qdit_pool(qdit::capi::read_options(options, "qdit_pool_options", kPoolOptions));
  });
}

qdit_status qdit_pool_close(qdit_pool* pool) {
  if (pool == nullptr) return QDIT_OK;
  return guarded([&] {
    {
      const InUse in_use(*pool);
    }
    delete pool;
  });
}

qdit_status qdit_pool_get_info(qdit_pool* pool, qdit_pool_info* info) {
  return guarded([&] {
    not_null("pool", pool);
    const auto given = qdit::capi::read_options(info, "qdit_pool_info", kPoolInfo);
    const InUse in_use(*pool);
    const qdit_pool_info found = pool->info();
    const std::size_t size = std::min(given.size, sizeof found);
    std::memcpy(info, &found, size);
    info->size = given.size;
  });
}

qdit_status qdit_select(qdit_pool* pool, const qdit_select_options* options, int64_t* indices, double* gains,
                        int64_t* count) {
  return guarded([&] {
    *not_null("count", count) = 0;
    not_null("pool", pool);
    const auto asked = qdit::capi::read_options(options, "qdit_select_options", kSelectOptions);
    qdit::capi::select(*pool, asked, {not_null("indices", indices), gains, count});
  });
}

qdit_status qdit_reset(qdit_pool* pool, const int64_t* given, int64_t count) {
  return guarded([&] {
    const InUse in_use(*not_null("pool", pool));
    pool->reset(array("given", given, count));
  });
}

qdit_status qdit_gains(qdit_pool* pool, const int64_t* candidates, int64_t count, double* gains) {
  return guarded([&] {
    const InUse in_use(*not_null("pool", pool));
    const auto rows = array("candidates", candidates, count);
    const auto to = array("gains", gains, count);
    pool->check_rows("candidates", rows);
    std::vector<Fixed> found(rows.size());
    pool->backend().gains(rows, found);
    to_similarity(found, pool->backend().scale(), to.data());
  });
}

qdit_status qdit_commit(qdit_pool* pool, const int64_t* rows, int64_t count, double* increases) {
  return guarded([&] {
    const InUse in_use(*not_null("pool", pool));
    const auto chosen = array("rows", rows, count);
    pool->check_rows("rows", chosen);
    std::vector<Fixed> found(chosen.size());
    pool->backend().commit(chosen, found);
    if (increases != nullptr) to_similarity(found, pool->backend().scale(), increases);
  });
}

qdit_status qdit_coverage(qdit_pool* pool, double* coverage) {
  return guarded([&] {
    const InUse in_use(*not_null("pool", pool));
    not_null("coverage", coverage);
    const auto& backend = pool->backend();
    const double sum = static_cast<double>(backend.coverage()) / backend.scale();
    const double most = backend.range();  // rounding goes beyond
    *coverage = std::clamp(sum / static_cast<double>(backend.size()), -most, most);
  });
}

qdit_status qdit_row_coverage(qdit_pool* pool, double* coverage) {
  return guarded([&] {
    const InUse in_use(*not_null("pool", pool));
    const auto& backend = pool->backend();
    const std::span<double> rows(not_null("coverage", coverage), static_cast<std::size_t>(backend.size()));
    backend.row_coverage(rows);
    for (double& row : rows) row = std::clamp(row, -backend.range(), backend.range());
  });
}
