// Starting kernels, and errors that say where.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

namespace qdit::cuda {

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

[[noreturn]] inline void throw_error(cudaError_t error, const char* call, const char* file, int line) {
  throw Error(std::string("CUDA: ") + cudaGetErrorString(error) + " (" + cudaGetErrorName(error) + ") from " +
              call + " at " + file + ":" + std::to_string(line) + ".");
}

inline void check(cudaError_t error, const char* call, const char* file, int line) {
  if (error == cudaSuccess) return;
  (void)cudaGetLastError();  // a failed call must not be reported again by the next one
  throw_error(error, call, file, line);
}

#define QDIT_CUDA_CHECK(call) ::qdit::cuda::check((call), #call, __FILE__, __LINE__)

struct LaunchShape {
  std::int64_t blocks;
  int threads;
  std::size_t shared = 0;
};

inline std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// A grid of no blocks is no error here: it does nothing.
template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), const LaunchShape& shape, cudaStream_t stream,
            Arguments&&... arguments) {
  if (shape.blocks == 0) return;
  if (shape.blocks > INT32_MAX) throw Error("CUDA: a grid of " + std::to_string(shape.blocks) + " blocks.");
  constexpr std::size_t kWithoutOptIn = 48 * 1024;
  if (shape.shared > kWithoutOptIn) {
    QDIT_CUDA_CHECK(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                         cudaFuncAttributeMaxDynamicSharedMemorySize,
                                         static_cast<int>(shape.shared)));
  }
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(static_cast<unsigned>(shape.blocks));
  config.blockDim = dim3(static_cast<unsigned>(shape.threads));
  config.dynamicSmemBytes = shape.shared;
  config.stream = stream;
  QDIT_CUDA_CHECK(cudaLaunchKernelEx(&config, kernel, std::forward<Arguments>(arguments)...));
}

}  // namespace qdit::cuda
