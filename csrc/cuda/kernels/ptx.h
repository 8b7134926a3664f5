// The instructions that kernels are made of, by their names in the PTX ISA.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#if defined(QDIT_CUDA_EMULATION)
#include "instructions.h"  // the same functions in plain C++, for tests on machines without a device
#else

namespace qdit::cuda {

inline constexpr unsigned kFullWarp = 0xffffffffu;

// Dynamic shared memory of the running kernel. wgmma's swizzle repeats every 1024 bytes of its addresses.
__device__ __forceinline__ unsigned char* shared_memory() {
  extern __shared__ __align__(1024) unsigned char qdit_shared[];
  return qdit_shared;
}

__device__ __forceinline__ std::uint32_t shared_address(const void* pointer) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(pointer));
}

// 16 bytes from global to shared memory, asynchronously; `bytes` of them are read, the rest become zeros.
__device__ __forceinline__ void copy_async(std::uint32_t to, const void* from, int bytes) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(to), "l"(from), "r"(bytes) : "memory");
}
__device__ __forceinline__ void copy_async_commit() { asm volatile("cp.async.commit_group;\n" ::: "memory"); }
// Until at most kPending of this thread's latest groups are under way.
template <int kPending>
__device__ __forceinline__ void copy_async_wait() {
  asm volatile("cp.async.wait_group %0;\n" ::"n"(kPending) : "memory");
}

// Four 8 x 8 matrices of halves; lane 8 i + r passes the address of row r of matrix i.
__device__ __forceinline__ void load_matrices(std::uint32_t (&to)[4], std::uint32_t from) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\n"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(from)
               : "memory");
}

// sum += a * b, 16 x 16 times 16 x 8, float32 sums.
__device__ __forceinline__ void multiply_add(float (&sum)[4], const std::uint32_t (&a)[4], std::uint32_t b0,
                                             std::uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};\n"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// threadIdx.x, read anew: what follows from it is not kept in registers from one turn of a loop to the next.
__device__ __forceinline__ int thread_anew() {
  int thread;
  asm volatile("mov.u32 %0, %%tid.x;\n" : "=r"(thread));
  return thread;
}

// If a > b, to += step; in two instructions, of which the compiler makes three.
__device__ __forceinline__ void add_if_above(std::uint32_t& to, std::int32_t a, std::int32_t b,
                                             std::uint32_t step) {
  asm("{\n.reg .pred above;\nsetp.gt.s32 above, %1, %2;\n@above add.u32 %0, %0, %3;\n}\n"
      : "+r"(to)
      : "r"(a), "r"(b), "r"(step));
}

template <class T>
__device__ __forceinline__ T shuffle_xor(T value, int mask) {
  return __shfl_xor_sync(kFullWarp, value, mask);
}
template <class T>
__device__ __forceinline__ T shuffle(T value, int lane) {
  return __shfl_sync(kFullWarp, value, lane);
}
__device__ __forceinline__ unsigned ballot(bool condition) { return __ballot_sync(kFullWarp, condition); }
__device__ __forceinline__ void sync_warp() { __syncwarp(); }
__device__ __forceinline__ void sync_block() { __syncthreads(); }

}  // namespace qdit::cuda
#endif
