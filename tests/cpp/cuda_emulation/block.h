#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace qdit::cuda::emulation {

// Runs the threads of block `number` to their ends.
void run_block(unsigned number, unsigned threads, std::size_t shared_bytes,
               const std::function<void()>& body);

// For the instructions of warpgroups (warpgroup.cpp), of the block that runs.
[[noreturn]] void fail(const char* what);
const double* half_values();  // by their bits
// Tensor cores cut off what a float32 cannot hold.
inline float cut_off(double value) {
  const auto near = static_cast<float>(value);
  return std::fabs(static_cast<double>(near)) > std::fabs(value) ? std::nextafterf(near, 0.0f) : near;
}
bool coin();
std::size_t shared_size();
unsigned threads_of_block();
// Waits for the other threads of the warpgroup; true for the one that came last, which calls end_meeting().
bool meet_warpgroup();
void end_meeting();

// What block.cpp tells warpgroup.cpp.
void warpgroups_start(unsigned threads, std::size_t shared_bytes);
void copy_landed(std::size_t unit);  // 16 bytes of an asynchronous copy by this thread are there ...
void copy_waited(std::size_t unit);  // ... and the thread knows
void thread_ends();

}  // namespace qdit::cuda::emulation
