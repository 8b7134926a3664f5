#include <atomic>
#include <stdexcept>

#include "check.h"
#include "cpu/thread_pool.h"

using namespace qdit;
using cpu::ThreadPool;

TEST(every_task_runs_exactly_once) {
  Interrupt none;
  for (int threads = 1; threads <= 5; ++threads) {
    ThreadPool pool(threads, none);
    for (int round = 0; round < 200; ++round) {
      const int count = round % 17;
      std::vector<std::atomic<int>> runs(17);
      pool.run(count, [&](std::int64_t task, int thread) {
        CHECK(thread >= 0 && thread < threads);
        runs[static_cast<std::size_t>(task)].fetch_add(1);
      });
      for (int i = 0; i < 17; ++i) CHECK(runs[static_cast<std::size_t>(i)] == (i < count ? 1 : 0));
    }
  }
}

// Fault injection: whichever task throws, the error arrives once, nothing hangs and the pool goes on working.
TEST(an_exception_on_the_nth_task_is_thrown_to_the_caller) {
  Interrupt none;
  ThreadPool pool(3, none);
  for (std::int64_t n = 0; n < 40; ++n) {
    const auto faulty = [n](std::int64_t task, int) {
      if (task == n) throw std::runtime_error("task " + std::to_string(task));
    };
    CHECK_THROWS(pool.run(40, faulty), std::runtime_error, "task " + std::to_string(n));
    std::atomic<int> runs{0};
    pool.run(10, [&](std::int64_t, int) { ++runs; });
    CHECK(runs == 10);
  }
}

TEST(an_interrupt_ends_the_work_early) {
  Interrupt interrupt([] { throw std::runtime_error("interrupted"); });
  ThreadPool pool(2, interrupt);
  std::atomic<std::int64_t> runs{0};
  CHECK_THROWS(pool.run(std::int64_t{1} << 40, [&](std::int64_t, int) { ++runs; }), std::runtime_error,
               "interrupted");
  CHECK(runs < std::int64_t{1} << 40);
}

int main() { return check::run(); }
