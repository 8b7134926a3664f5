// What is behind a qdit_pool.
#pragma once

#include <atomic>
#include <exception>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "capi/qdit.h"
#include "engine/backend.h"
#include "engine/types.h"

namespace qdit::capi {

// The progress callback asked for the end.
struct Cancelled final : std::exception {
  const char* what() const noexcept override { return "the progress callback ended the call."; }
};

// Asked now and then while a call runs, between evaluations and within them; may throw.
class Watcher {
 public:
  Watcher() = default;
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;
  virtual ~Watcher() = default;
  virtual void poll() = 0;
};

}  // namespace qdit::capi

struct qdit_pool {
 public:
  explicit qdit_pool(const qdit_pool_options& options);
  qdit_pool(const qdit_pool&) = delete;
  qdit_pool& operator=(const qdit_pool&) = delete;
  ~qdit_pool() = default;

  qdit::Backend& backend() { return *backend_; }
  qdit_pool_info info() const;
  void reset(std::span<const qdit::Index> given) { backend_->reset(given); }
  // Throws where a row is not one that can be chosen.
  void check_rows(const char* name, std::span<const qdit::Index> rows) const;
  // Work space of one selection, all unknown. The engine may go on using it until the next reset().
  std::span<qdit::Fixed> fresh_bounds();

  // While it lives the pool is in use; throws std::logic_error if it is already.
  class InUse {
   public:
    explicit InUse(qdit_pool& pool, qdit::capi::Watcher* watcher = nullptr) : pool_(pool) {
      if (pool_.in_use_.exchange(true, std::memory_order_acquire)) {
        throw std::logic_error(
            "the pool is in use: one call at a time, and none from its progress callback.");
      }
      pool_.watcher_ = watcher;
    }
    InUse(const InUse&) = delete;
    InUse& operator=(const InUse&) = delete;
    ~InUse() {
      pool_.watcher_ = nullptr;
      pool_.in_use_.store(false, std::memory_order_release);
    }

   private:
    qdit_pool& pool_;
  };

 private:
  qdit::Index d_;
  int threads_;
  const char* simd_ = "";
  std::atomic<bool> in_use_ = false;
  qdit::capi::Watcher* watcher_ = nullptr;
  std::vector<qdit::Fixed> bounds_;
  std::unique_ptr<qdit::Backend> backend_;
};
