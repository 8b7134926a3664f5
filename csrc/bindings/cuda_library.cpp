#include "bindings/cuda_library.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <utility>

#include "cuda/library.h"

namespace qdit::bindings {
namespace {

struct Library {
  std::string reason;  // why it could not be loaded; empty if it was
  decltype(&qdit_cuda_probe) probe = nullptr;
  decltype(&qdit_cuda_make) make = nullptr;
  decltype(&qdit_cuda_make_graph) make_graph = nullptr;
  decltype(&qdit_cuda_download) download = nullptr;
  decltype(&qdit_cuda_device_of) device_of = nullptr;
};

// For tests: another library, which may do without a driver.
const char* other_library() { return std::getenv("QDIT_CUDA_LIBRARY"); }

// Beside the module that this function is a part of.
std::filesystem::path library_path() {
  if (other_library() != nullptr) return other_library();
  Dl_info self;
  if (dladdr(reinterpret_cast<const void*>(&library_path), &self) == 0) return {};
  return std::filesystem::path(self.dli_fname).parent_path() / "qdit_cuda.so";
}

std::string last_error() {
  const char* text = dlerror();
  return text == nullptr ? "unknown error" : text;
}

Library load() {
  Library library;
  const auto path = library_path();
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    library.reason =
        "no CUDA library was built (there was no nvcc, or QDIT_CUDA=OFF); wanted " + path.string();
    return library;
  }
  if (other_library() == nullptr && dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL) == nullptr) {
    library.reason = "there is no NVIDIA driver (" + last_error() + ")";
    return library;
  }
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    library.reason = "the CUDA library cannot be loaded (" + last_error() + ")";
    return library;
  }
  const auto find = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::decay_t<decltype(function)>>(dlsym(handle, name));
    if (function == nullptr) library.reason = path.string() + " has no function " + name;
  };
  decltype(&qdit_cuda_abi) abi = nullptr;
  find(abi, "qdit_cuda_abi");
  find(library.probe, "qdit_cuda_probe");
  find(library.make, "qdit_cuda_make");
  find(library.make_graph, "qdit_cuda_make_graph");
  find(library.download, "qdit_cuda_download");
  find(library.device_of, "qdit_cuda_device_of");
  if (library.reason.empty() && abi() != cuda::abi()) {
    library.reason = path.string() + " is of another build (" + abi() + ", wanted " + cuda::abi() + ")";
  }
  return library;
}

const Library& library() {
  static const Library loaded = load();
  return loaded;
}

}  // namespace

bool cuda_built() {
  std::error_code ignored;
  return std::filesystem::exists(library_path(), ignored);
}

CudaStatus cuda_status(int device) {
  if (!library().reason.empty()) return {library().reason, ""};
  char reason[512] = "";
  char name[512] = "";
  library().probe(device, reason, sizeof reason, name, sizeof name);
  return {reason, name};
}

namespace {

const Library& usable_library() {
  if (!library().reason.empty()) {
    throw std::runtime_error("backend \"cuda\" cannot be used: " + library().reason + ".");
  }
  return library();
}

}  // namespace

std::unique_ptr<Backend> make_cuda_backend(const PoolOptions& options) {
  return std::unique_ptr<Backend>(usable_library().make(&options));
}

std::unique_ptr<GraphBackend> make_cuda_graph(const PoolOptions& options) {
  return std::unique_ptr<GraphBackend>(usable_library().make_graph(&options));
}

void cuda_download(int device, const void* from, void* to, std::size_t bytes, std::size_t stream) {
  if (!library().reason.empty()) throw std::runtime_error("CUDA: " + library().reason + ".");
  library().download(device, from, to, bytes, stream);
}

int cuda_device_of(const void* pointer) {
  if (!library().reason.empty()) throw std::runtime_error("CUDA: " + library().reason + ".");
  return library().device_of(pointer);
}

}  // namespace qdit::bindings
