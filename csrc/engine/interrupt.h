// How long work lets itself be stopped. The engine knows no Python: it is handed something to ask.
#pragma once

#include <chrono>
#include <functional>
#include <utility>

namespace qdit {

// Asked often by the calling thread; passes every 50th millisecond on. What the callback throws ends the
// work.
class Interrupt {
 public:
  Interrupt() = default;
  explicit Interrupt(std::function<void()> callback) : callback_(std::move(callback)) {}

  void poll() {
    if (!callback_) return;
    const auto now = std::chrono::steady_clock::now();
    if (now - last_ < std::chrono::milliseconds(50)) return;
    last_ = now;
    callback_();
  }

 private:
  std::function<void()> callback_;
  std::chrono::steady_clock::time_point last_;
};

class Stopwatch {
 public:
  explicit Stopwatch(double& total) : total_(total), start_(std::chrono::steady_clock::now()) {}
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;
  ~Stopwatch() { total_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  double& total_;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace qdit
