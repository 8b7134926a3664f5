// The engine's own threads: no OpenMP, no process-wide settings, nothing left behind.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
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
  bool forked() const;

  Interrupt& interrupt_;
  int process_;  // that the threads belong to
  std::vector<std::thread> workers_;
  // On the heap, so that a forked child can let go of them: destroying them would wait for threads it lacks.
  struct Signals {
    std::mutex mutex;
    std::condition_variable start;
    std::condition_variable done;
  };
  std::unique_ptr<Signals> signals_ = std::make_unique<Signals>();
  std::uint64_t generation_ = 0;  // counts run() calls; guarded by the mutex
  int busy_ = 0;                  // workers inside take_tasks(); guarded by the mutex
  bool quit_ = false;             // guarded by the mutex
  std::exception_ptr error_;      // guarded by the mutex
  const Task* task_ = nullptr;    // written before a generation starts
  std::int64_t count_ = 0;        // likewise
  std::atomic<std::int64_t> next_{0};
};

}  // namespace qdit::cpu
