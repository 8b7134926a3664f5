#include "cpu/thread_pool.h"

#include <unistd.h>

#include <cfenv>
#include <stdexcept>
#include <utility>

namespace qdit::cpu {
namespace {

// Another library may have switched on flush-to-zero or another rounding mode in the calling thread.
class DefaultFloatingPoint {
 public:
  DefaultFloatingPoint() {
    std::fegetenv(&saved_);
    std::fesetenv(FE_DFL_ENV);
  }
  DefaultFloatingPoint(const DefaultFloatingPoint&) = delete;
  DefaultFloatingPoint& operator=(const DefaultFloatingPoint&) = delete;
  ~DefaultFloatingPoint() { std::fesetenv(&saved_); }

 private:
  std::fenv_t saved_{};
};

}  // namespace

ThreadPool::ThreadPool(int threads, Interrupt& interrupt) : interrupt_(interrupt), process_(getpid()) {
  try {
    for (int thread = 1; thread < threads; ++thread) {
      workers_.emplace_back([this, thread] { work(thread); });
    }
  } catch (...) {
    shut_down();
    throw;
  }
}

ThreadPool::~ThreadPool() { shut_down(); }

// A child of fork() has the pool's memory but none of its threads.
bool ThreadPool::forked() const { return !workers_.empty() && getpid() != process_; }

void ThreadPool::shut_down() {
  if (forked()) {
    for (auto& worker : workers_) worker.detach();
    signals_.release();  // NOLINT(bugprone-unused-return-value): left alone on purpose
    return;
  }
  {
    const std::lock_guard lock(signals_->mutex);
    quit_ = true;
  }
  signals_->start.notify_all();
  for (auto& worker : workers_) worker.join();
}

void ThreadPool::run(std::int64_t count, const Task& task) {
  if (count == 0) return;
  if (forked())
    throw std::runtime_error("an engine cannot be used in a process forked from its own; make a new one.");
  {
    const std::lock_guard lock(signals_->mutex);
    task_ = &task;
    count_ = count;
    next_.store(0, std::memory_order_relaxed);
    error_ = nullptr;
    // A single task is the caller's own: waking threads would cost more.
    if (count > 1) {
      ++generation_;
      busy_ = static_cast<int>(workers_.size());
    }
  }
  if (count > 1) signals_->start.notify_all();
  take_tasks(0);
  std::unique_lock lock(signals_->mutex);
  signals_->done.wait(lock, [this] { return busy_ == 0; });
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

void ThreadPool::work(int thread) {
  std::uint64_t seen = 0;
  for (;;) {
    {
      std::unique_lock lock(signals_->mutex);
      signals_->start.wait(lock, [&] { return quit_ || generation_ != seen; });
      if (quit_) return;
      seen = generation_;
    }
    take_tasks(thread);
    const std::lock_guard lock(signals_->mutex);
    if (--busy_ == 0) signals_->done.notify_one();
  }
}

void ThreadPool::take_tasks(int thread) {
  const DefaultFloatingPoint environment;
  try {
    for (;;) {
      const std::int64_t task = next_.fetch_add(1, std::memory_order_relaxed);
      if (task >= count_) return;
      (*task_)(task, thread);
      if (thread == 0) interrupt_.poll();
    }
  } catch (...) {
    next_.store(count_, std::memory_order_relaxed);
    const std::lock_guard lock(signals_->mutex);
    if (!error_) error_ = std::current_exception();
  }
}

}  // namespace qdit::cpu
