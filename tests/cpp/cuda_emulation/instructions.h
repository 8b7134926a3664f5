// The functions of cuda/kernels/ptx.h in plain C++. What lane holds which item of a matrix follows the PTX
// ISA, sections on ldmatrix and on mma.m16n8k16.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace qdit::cuda {

namespace emulation {

// What a lane brings to an instruction of its warp, and takes from it.
struct Lane {
  std::uint32_t address = 0;
  std::uint32_t in[6] = {};
  float sum[4] = {};
  std::uint32_t out[4] = {};
  std::uint64_t value = 0;
  int source = 0;
};
enum class Instruction { kShuffle, kBallot, kLoadMatrices, kMultiply, kSyncWarp };

void run_together(Instruction instruction, Lane& lane);
unsigned char* shared_base();
void copy_async(std::uint32_t to, const void* from, int bytes);
void commit();
void wait(int pending);
void block_barrier();
void fence_async_proxy();
void wgmma_fence();
void wgmma(float* sums, int count, std::uint64_t a, std::uint64_t b, bool add);
void wgmma_commit();
void wgmma_wait(int pending);
int lane_of_thread();

}  // namespace emulation

inline int thread_anew() { return static_cast<int>(threadIdx.x); }
inline void add_if_above(std::uint32_t& to, std::int32_t a, std::int32_t b, std::uint32_t step) {
  if (a > b) to += step;
}
inline unsigned char* shared_memory() { return emulation::shared_base(); }
inline std::uint32_t shared_address(const void* pointer) {
  return static_cast<std::uint32_t>(static_cast<const unsigned char*>(pointer) - emulation::shared_base());
}
inline void copy_async(std::uint32_t to, const void* from, int bytes) {
  emulation::copy_async(to, from, bytes);
}
inline void copy_async_commit() { emulation::commit(); }
template <int kPending>
void copy_async_wait() {
  emulation::wait(kPending);
}

inline void load_matrices(std::uint32_t (&to)[4], std::uint32_t from) {
  emulation::Lane lane;
  lane.address = from;
  emulation::run_together(emulation::Instruction::kLoadMatrices, lane);
  std::memcpy(to, lane.out, sizeof to);
}

inline void multiply_add(float (&sum)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
  emulation::Lane lane;
  std::memcpy(lane.in, a, sizeof a);
  lane.in[4] = b0;
  lane.in[5] = b1;
  std::memcpy(lane.sum, sum, sizeof sum);
  emulation::run_together(emulation::Instruction::kMultiply, lane);
  std::memcpy(sum, lane.sum, sizeof sum);
}

template <class T>
T shuffle(T value, int source) {
  static_assert(sizeof(T) <= 8);
  emulation::Lane lane;
  std::memcpy(&lane.value, &value, sizeof value);
  lane.source = source;
  emulation::run_together(emulation::Instruction::kShuffle, lane);
  std::memcpy(&value, &lane.value, sizeof value);
  return value;
}
template <class T>
T shuffle_xor(T value, int mask) {
  return shuffle(value, emulation::lane_of_thread() ^ mask);
}
inline unsigned ballot(bool condition) {
  emulation::Lane lane;
  lane.value = condition ? 1 : 0;
  emulation::run_together(emulation::Instruction::kBallot, lane);
  return static_cast<unsigned>(lane.value);
}
inline void sync_warp() {
  emulation::Lane lane;
  emulation::run_together(emulation::Instruction::kSyncWarp, lane);
}
inline void sync_block() { emulation::block_barrier(); }

inline void fence_async_proxy() { emulation::fence_async_proxy(); }
inline void wgmma_fence() { emulation::wgmma_fence(); }
inline void wgmma_commit() { emulation::wgmma_commit(); }
template <int kPending>
void wgmma_wait() {
  emulation::wgmma_wait(kPending);
}
template <std::size_t kCount>
void wgmma_settle(float (& /*sums*/)[kCount]) {}
template <std::size_t kCount>
void multiply_add_async(float (&sums)[kCount], std::uint64_t a, std::uint64_t b, bool add) {
  emulation::wgmma(sums, static_cast<int>(kCount), a, b, add);
}

}  // namespace qdit::cuda
