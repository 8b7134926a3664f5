// What the CUDA library offers to the module that loads it, as C functions that dlsym finds.
#pragma once

#include <cstddef>
#include <string>

#include "engine/backend.h"
#include "engine/graph_backend.h"
#include "engine/pool_options.h"

namespace qdit::cuda {

// Both sides must come from the same build: they share classes. Count up where Backend's functions or the
// meaning of a field change; sizes show what the version does not.
inline std::string abi() {
  std::string text = "qdit-cuda 3 " QDIT_VERSION;
  for (const std::size_t size :
       {sizeof(PoolOptions), sizeof(RowView), sizeof(BackendStats), sizeof(Backend), sizeof(Backend::Picking),
        sizeof(BatchWidth), sizeof(std::string), sizeof(GraphBackend), sizeof(GraphBackend::Pairs),
        sizeof(GraphBackend::Result)}) {
    text += ' ';
    text += std::to_string(size);
  }
  return text;
}

}  // namespace qdit::cuda

extern "C" {
const char* qdit_cuda_abi();
// Writes why the device cannot be used, or nothing, and what it is; cut to the sizes.
void qdit_cuda_probe(int device, char* reason, std::size_t reason_size, char* name, std::size_t name_size);
// Throws what the backend's constructor throws. The caller deletes it.
qdit::Backend* qdit_cuda_make(const qdit::PoolOptions* options);
// The same for similarity graphs.
qdit::GraphBackend* qdit_cuda_make_graph(const qdit::PoolOptions* options);
// Copies device memory to the host once the work of the stream so far is done; throws on failure.
void qdit_cuda_download(int device, const void* from, void* to, std::size_t bytes, std::size_t stream);
// The number of the device that the memory is on, -1 if it is no device's.
int qdit_cuda_device_of(const void* pointer);
}
