#include "cuda/device.h"

#include <unistd.h>

#include "cuda/kernels/kernels.h"

namespace qdit::cuda {
namespace {

constexpr int kLeastMajor = 8;  // mma.m16n8k16 and cp.async

std::string version(int number) {
  return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
}

std::string capability(const cudaDeviceProp& card) {
  return std::to_string(card.major) + "." + std::to_string(card.minor);
}

std::string text_of(cudaError_t error) {
  (void)cudaGetLastError();
  return std::string(cudaGetErrorString(error)) + " (" + cudaGetErrorName(error) + ")";
}

std::string megabytes(std::size_t bytes) { return std::to_string((bytes + 999'999) / 1'000'000) + " MB"; }

}  // namespace

void throw_out_of_memory(std::size_t needed, std::size_t free, const std::string& what) {
  throw OutOfMemory("CUDA: not enough memory on the device for " + what + ": needs " + megabytes(needed) +
                    ", free are " + megabytes(free) + ". Free some, take another device or backend=\"cpu\".");
}

std::string why_not(int device) {
  int driver = 0;
  int runtime = 0;
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) return "there is no NVIDIA driver";
  (void)cudaRuntimeGetVersion(&runtime);
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaErrorInsufficientDriver) {
    (void)cudaGetLastError();
    return "the driver is too old: it knows CUDA " + version(driver) + ", this build needs " +
           version(runtime / 1000 * 1000);
  }
  if (error != cudaSuccess && error != cudaErrorNoDevice) return "the driver says: " + text_of(error);
  (void)cudaGetLastError();
  if (count == 0) return "the driver sees no device";
  if (device < 0 || device >= count) {
    return "there is no device " + std::to_string(device) + ", wanted 0 .. " + std::to_string(count - 1);
  }
  cudaDeviceProp card{};
  const cudaError_t asked = cudaGetDeviceProperties(&card, device);
  if (asked != cudaSuccess) return "the driver says: " + text_of(asked);
  const std::string name = std::string(card.name) + " (compute capability " + capability(card) + ")";
  if (card.major < kLeastMajor) return name + " is too old: wanted compute capability 8.0 or newer";
  const KeepDevice before;
  if (cudaSetDevice(device) != cudaSuccess) return name + " is not available: " + text_of(cudaGetLastError());
  if (!has_kernels()) return "this build has no kernel for " + name;
  return "";
}

std::string describe(int device) {
  cudaDeviceProp card{};
  if (cudaGetDeviceProperties(&card, device) != cudaSuccess) return "";
  return std::string(card.name) + ", compute capability " + capability(card);
}

KeepDevice::KeepDevice() noexcept {
  if (cudaGetDevice(&before_) == cudaSuccess) return;
  (void)cudaGetLastError();
  before_ = -1;
}

KeepDevice::KeepDevice(int device) : KeepDevice() {
  if (before_ != device) QDIT_CUDA_CHECK(cudaSetDevice(device));
}

KeepDevice::~KeepDevice() {
  int now = -1;  // setting a device may create its context: not without need
  if (before_ >= 0 && (cudaGetDevice(&now) != cudaSuccess || now != before_)) (void)cudaSetDevice(before_);
}

Device::Device(int index) : index_(index), process_(getpid()) {
  const std::string reason = why_not(index);
  if (!reason.empty()) throw Error("backend \"cuda\" cannot be used: " + reason + ".");
  use();
}

bool Device::in_own_process() const { return getpid() == process_; }

KeepDevice Device::enter() const {
  if (!in_own_process()) {
    throw std::runtime_error("this engine was made before the process forked; make a new one in the child.");
  }
  return KeepDevice(index_);
}

std::size_t Device::free_bytes() const {
  std::size_t free = 0;
  std::size_t total = 0;
  QDIT_CUDA_CHECK(cudaMemGetInfo(&free, &total));
  return free;
}

void* Device::allocate(std::size_t bytes) {
  void* pointer = nullptr;
  const cudaError_t error = cudaMalloc(&pointer, bytes);
  if (error == cudaErrorMemoryAllocation) {
    (void)cudaGetLastError();
    throw_out_of_memory(bytes, free_bytes(), "one more buffer");
  }
  QDIT_CUDA_CHECK(error);
  used_ += bytes;
  peak_ = std::max(peak_, used_);
  return pointer;
}

void Device::release(void* pointer, std::size_t bytes) noexcept {
  used_ -= bytes;
  if (in_own_process()) (void)cudaFree(pointer);
}

Pinned::Pinned(const Device& device, std::size_t bytes) : device_(device) {
  const std::size_t size = std::max<std::size_t>(bytes, 1);
  const cudaError_t error = cudaMallocHost(&data_, size);
  if (error == cudaErrorMemoryAllocation) {
    (void)cudaGetLastError();
    data_ = nullptr;
    plain_ = std::make_unique_for_overwrite<std::byte[]>(size);
    return;
  }
  QDIT_CUDA_CHECK(error);
}

}  // namespace qdit::cuda
