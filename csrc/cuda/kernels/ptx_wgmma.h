// The instructions of products by warpgroups, by their names in the PTX ISA. sm_90a alone has them.
#pragma once

#include "cuda/kernels/ptx.h"

#if !defined(QDIT_CUDA_EMULATION)

namespace qdit::cuda {

// What this thread has written to shared memory (copies by copy_async() that it has waited for among them)
// comes before what wgmma reads there after the next barrier. bench/cuda_probe.cu finds out what it costs.
__device__ __forceinline__ void fence_async_proxy() {
#if !defined(QDIT_WITHOUT_PROXY_FENCE)
  asm volatile("fence.proxy.async.shared::cta;\n" ::: "memory");
#endif
}

// Before the first wgmma on accumulators that something else has touched.
__device__ __forceinline__ void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;\n" ::: "memory"); }
__device__ __forceinline__ void wgmma_commit() {
  asm volatile("wgmma.commit_group.sync.aligned;\n" ::: "memory");
}
// Until at most kPending of the warpgroup's latest groups are under way.
template <int kPending>
__device__ __forceinline__ void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;\n" ::"n"(kPending) : "memory");
}
// No instruction: what touches the accumulators stays on its side of this. After wgmma_wait<0>() it keeps the
// compiler from reading them too early, before wgmma_fence() from setting them too late.
template <int kCount>
__device__ __forceinline__ void wgmma_settle(float (&d)[kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; ++i) asm volatile("" : "+f"(d[i])::"memory");
}

// d (+)= a * b of a warpgroup: 64 rows of sixteen items times as many columns as d holds, both named by
// descriptors (wgmma_layout.h); runs on until it is waited for, d untouched.
#define QDIT_OUT4(i) "+f"(d[i]), "+f"(d[(i) + 1]), "+f"(d[(i) + 2]), "+f"(d[(i) + 3])
#define QDIT_OUT16(i) QDIT_OUT4(i), QDIT_OUT4((i) + 4), QDIT_OUT4((i) + 8), QDIT_OUT4((i) + 12)
__device__ __forceinline__ void multiply_add_async(float (&d)[32], std::uint64_t a, std::uint64_t b,
                                                   bool add) {
  asm volatile(
      "{\n.reg .pred keeps;\nsetp.ne.b32 keeps, %34, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
      "}, %32, %33, keeps, 1, 1, 0, 0;\n}\n"
      : QDIT_OUT16(0), QDIT_OUT16(16)
      : "l"(a), "l"(b), "r"(add ? 1 : 0));
}
__device__ __forceinline__ void multiply_add_async(float (&d)[64], std::uint64_t a, std::uint64_t b,
                                                   bool add) {
  asm volatile(
      "{\n.reg .pred keeps;\nsetp.ne.b32 keeps, %66, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "
      "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
      "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
      "}, %64, %65, keeps, 1, 1, 0, 0;\n}\n"
      : QDIT_OUT16(0), QDIT_OUT16(16), QDIT_OUT16(32), QDIT_OUT16(48)
      : "l"(a), "l"(b), "r"(add ? 1 : 0));
}
__device__ __forceinline__ void multiply_add_async(float (&d)[96], std::uint64_t a, std::uint64_t b,
                                                   bool add) {
  asm volatile(
      "{\n.reg .pred keeps;\nsetp.ne.b32 keeps, %98, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n192k16.f32.f16.f16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "
      "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
      "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63, "
      "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, "
      "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95"
      "}, %96, %97, keeps, 1, 1, 0, 0;\n}\n"
      : QDIT_OUT16(0), QDIT_OUT16(16), QDIT_OUT16(32), QDIT_OUT16(48), QDIT_OUT16(64), QDIT_OUT16(80)
      : "l"(a), "l"(b), "r"(add ? 1 : 0));
}
#undef QDIT_OUT16
#undef QDIT_OUT4

}  // namespace qdit::cuda
#endif
