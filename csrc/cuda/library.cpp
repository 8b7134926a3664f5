#include "cuda/library.h"

#include <cstdint>
#include <cstdio>
#include <string>

#include "cuda/cuda_backend.h"
#include "cuda/device.h"
#include "cuda/graph_builder.h"

#define QDIT_EXPORT __attribute__((visibility("default")))

extern "C" {

QDIT_EXPORT const char* qdit_cuda_abi() {
  static const std::string text = qdit::cuda::abi();
  return text.c_str();
}

QDIT_EXPORT void qdit_cuda_probe(int device, char* reason, std::size_t reason_size, char* name,
                                 std::size_t name_size) {
  const std::string why = qdit::cuda::why_not(device);
  std::snprintf(reason, reason_size, "%s", why.c_str());
  std::snprintf(name, name_size, "%s", why.empty() ? qdit::cuda::describe(device).c_str() : "");
}

QDIT_EXPORT qdit::Backend* qdit_cuda_make(const qdit::PoolOptions* options) {
  return qdit::cuda::make_backend(*options).release();
}

QDIT_EXPORT qdit::GraphBackend* qdit_cuda_make_graph(const qdit::PoolOptions* options) {
  return qdit::cuda::make_graph_builder(*options).release();
}

QDIT_EXPORT void qdit_cuda_download(int device, const void* from, void* to, std::size_t bytes,
                                    std::size_t stream) {
  using namespace qdit::cuda;
  const KeepDevice before;
  const Device card(device);
  const Stream own(card);
  Event given(card);
  if (stream != 0) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): handles of streams come as numbers
    given.record(reinterpret_cast<cudaStream_t>(stream));
    given.hold_back(own.get());
  }
  own.download(static_cast<const std::byte*>(from), std::span(static_cast<std::byte*>(to), bytes));
}
QDIT_EXPORT int qdit_cuda_device_of(const void* pointer) {
  cudaPointerAttributes found{};
  if (cudaPointerGetAttributes(&found, pointer) != cudaSuccess) {
    (void)cudaGetLastError();
    return -1;
  }
  const bool there = found.type == cudaMemoryTypeDevice || found.type == cudaMemoryTypeManaged;
  return there ? found.device : -1;
}
}
