// The engine's own threads: no OpenMP, no process-wide settings, nothing left behind.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/interrupt.h"

namespace qdit::cpu {

class ThreadPool {
 public:
  // task number, number of the thread that runs it (0 is the calling thread)
  using Task = std::function<void(std::int64_t, int)>;

  ThreadPool(int threads, Interrupt& interrupt);
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool();

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Runs tasks 0 .. count-1, each once, in any order, and returns when all are done. The first exception, of
  // a task or of the interrupt, ends the rest and is thrown again here, when no task runs any more.
  void run(std::int64_t count, const Task& task);

 private:
  void work(int thread);
  void take_tasks(int thread);
  void shut_down();

  Interrupt& interrupt_;
  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable start_;
  std::condition_variable done_;
  std::uint64_t generation_ = 0;  // counts run() calls; guarded by mutex_
  int busy_ = 0;                  // workers inside take_tasks(); guarded by mutex_
  bool quit_ = false;             // guarded by mutex_
  std::exception_ptr error_;      // guarded by mutex_
  const Task* task_ = nullptr;    // written before a generation starts
  std::int64_t count_ = 0;        // likewise
  std::atomic<std::int64_t> next_{0};
};

}  // namespace qdit::cpu
