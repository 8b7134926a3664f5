// The CUDA library, loaded when somebody first asks for it.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "engine/backend.h"
#include "engine/graph_backend.h"
#include "engine/pool_options.h"

namespace qdit::bindings {

struct CudaStatus {
  std::string reason;  // why the device cannot be used; empty if it can
  std::string name;    // of the device, with its compute capability
};
CudaStatus cuda_status(int device);
bool cuda_built();  // touches neither library nor driver

// Throws std::runtime_error with the reason where there is none, and what the backend's constructor throws.
std::unique_ptr<Backend> make_cuda_backend(const PoolOptions& options);
std::unique_ptr<GraphBackend> make_cuda_graph(const PoolOptions& options);

void cuda_download(int device, const void* from, void* to, std::size_t bytes, std::size_t stream);

// The number of the device that the memory is on, -1 if it is no device's.
int cuda_device_of(const void* pointer);

}  // namespace qdit::bindings
