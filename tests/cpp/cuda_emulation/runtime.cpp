// Memory, streams and events of the emulated runtime.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "block.h"
#include "cuda_runtime.h"

using Work = std::function<void()>;

struct EmulatedStream {
  std::deque<Work> work;
};

struct EmulatedEvent {
  EmulatedStream* stream = nullptr;
  std::uint64_t recorded = 0;
  std::uint64_t reached = 0;
};

std::uint64_t emulated_atomics = 0;

namespace {

std::recursive_mutex mutex;
std::set<EmulatedStream*> streams;
std::map<void*, std::pair<void*, std::size_t>> allocations;  // by pointer: its mapping
std::map<const void*, int> shared_limits;
std::size_t used = 0;
thread_local cudaError_t last = cudaSuccess;
constexpr int kSharedBytes = 227 * 1024;  // that a block may take
constexpr int kMultiprocessors = 2;       // few, so that blocks that walk tiles walk some
constexpr int kDevices = 2;               // of one memory: the second is there to be current or not
thread_local int current = 0;

std::size_t device_bytes() {
  const char* text = std::getenv("QDIT_EMULATED_BYTES");
  return text == nullptr ? std::size_t{4} << 30 : std::strtoull(text, nullptr, 10);
}

void run_one(EmulatedStream& stream) {
  const Work work = std::move(stream.work.front());
  stream.work.pop_front();
  work();
}
void drain(EmulatedStream& stream) {
  while (!stream.work.empty()) run_one(stream);
}
void drain_all() {
  for (EmulatedStream* stream : streams) drain(*stream);
}
// Runs the event's stream up to record number `wanted`.
void reach(EmulatedEvent& event, std::uint64_t wanted) {
  while (event.reached < wanted && !event.stream->work.empty()) run_one(*event.stream);
}

cudaError_t result(cudaError_t error) {
  if (error != cudaSuccess) last = error;
  return error;
}

}  // namespace

const char* cudaGetErrorName(cudaError_t error) {
  return error == cudaErrorMemoryAllocation ? "cudaErrorMemoryAllocation" : "cudaError";
}
const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaErrorMemoryAllocation ? "out of memory" : "emulated error";
}
cudaError_t cudaGetLastError() { return std::exchange(last, cudaSuccess); }

cudaError_t cudaDriverGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceCount(int* count) {
  *count = kDevices;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (device < 0 || device >= kDevices) return result(cudaErrorInvalidDevice);
  *properties = {};
  std::snprintf(properties->name, sizeof properties->name, "emulation on the host");
  properties->major = device == 0 ? 9 : 8;  // the second has no wgmma
  properties->multiProcessorCount = kMultiprocessors;
  properties->totalGlobalMem = device_bytes();
  properties->sharedMemPerBlockOptin = kSharedBytes;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr /*attribute*/, int /*device*/) {
  *value = kMultiprocessors;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
  if (device < 0 || device >= kDevices) return result(cudaErrorInvalidDevice);
  current = device;
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int* device) {
  *device = current;
  return cudaSuccess;
}
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer) {
  const std::lock_guard lock(mutex);
  *attributes = {cudaMemoryTypeUnregistered, -1};
  for (const auto& [begin, mapped] : allocations) {
    const char* end = static_cast<const char*>(mapped.first) + mapped.second;
    if (pointer >= begin && pointer < end) *attributes = {cudaMemoryTypeDevice, 0};
  }
  return cudaSuccess;
}
cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  const std::lock_guard lock(mutex);
  *total = device_bytes();
  *free = *total > used ? *total - used : 0;
  return cudaSuccess;
}

// The allocation ends (to 16 bytes) where a page begins that cannot be touched.
cudaError_t cudaMalloc(void** pointer, std::size_t bytes) {
  const std::lock_guard lock(mutex);
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const std::size_t rounded = (bytes + 15) / 16 * 16;
  const std::size_t pages = (rounded + page - 1) / page * page;
  *pointer = nullptr;
  if (used + rounded > device_bytes()) return result(cudaErrorMemoryAllocation);
  void* mapping = mmap(nullptr, pages + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) return result(cudaErrorMemoryAllocation);
  mprotect(static_cast<char*>(mapping) + pages, page, PROT_NONE);
  *pointer = static_cast<char*>(mapping) + pages - rounded;
  if (rounded < (std::size_t{64} << 20)) std::memset(*pointer, 0xcd, rounded);
  allocations[*pointer] = {mapping, pages + page};
  used += rounded;
  return cudaSuccess;
}
cudaError_t cudaFree(void* pointer) {
  const std::lock_guard lock(mutex);
  drain_all();
  if (pointer == nullptr) {  // as a device answers, or one that a kernel has left unusable
    return std::getenv("QDIT_EMULATED_LOST") == nullptr ? cudaSuccess : result(cudaErrorInvalidValue);
  }
  const auto found = allocations.find(pointer);
  if (found == allocations.end()) return result(cudaErrorInvalidValue);
  const auto [mapping, size] = found->second;
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  used -= static_cast<std::size_t>(static_cast<char*>(mapping) + size - page - static_cast<char*>(pointer));
  munmap(mapping, size);
  allocations.erase(found);
  return cudaSuccess;
}
cudaError_t cudaMallocHost(void** pointer, std::size_t bytes) {
  const bool none = std::getenv("QDIT_EMULATED_UNPINNED") != nullptr;
  *pointer = none ? nullptr : std::malloc(bytes);
  return *pointer != nullptr ? cudaSuccess : result(cudaErrorMemoryAllocation);
}
cudaError_t cudaFreeHost(void* pointer) {
  std::free(pointer);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind /*kind*/,
                            cudaStream_t stream) {
  const std::lock_guard lock(mutex);
  stream->work.push_back([=] {
    if (bytes > 0) std::memmove(to, from, bytes);
  });
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t stream) {
  const std::lock_guard lock(mutex);
  stream->work.push_back([=] {
    if (bytes > 0) std::memset(to, value, bytes);
  });
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned /*flags*/) {
  const std::lock_guard lock(mutex);
  *stream = *streams.insert(new EmulatedStream).first;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  const std::lock_guard lock(mutex);
  if (stream != nullptr) drain(*stream);
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const std::lock_guard lock(mutex);
  drain(*stream);
  streams.erase(stream);
  delete stream;
  return cudaSuccess;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned /*flags*/) {
  const std::lock_guard lock(mutex);
  stream->work.push_back([event, wanted = event->recorded] { reach(*event, wanted); });
  return cudaSuccess;
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned /*flags*/) {
  *event = new EmulatedEvent;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const std::lock_guard lock(mutex);
  if (stream == nullptr) return cudaSuccess;
  event->stream = stream;
  stream->work.push_back([event, number = ++event->recorded] { event->reached = number; });
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  const std::lock_guard lock(mutex);
  reach(*event, event->recorded);
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  const std::lock_guard lock(mutex);
  reach(*event, event->recorded);
  drain_all();  // others may wait for it
  delete event;
  return cudaSuccess;
}

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute /*attribute*/, int value) {
  const char* text = std::getenv("QDIT_EMULATED_SHARED");
  if (value > (text == nullptr ? kSharedBytes : std::atoi(text))) return result(cudaErrorInvalidValue);
  shared_limits[kernel] = value;
  return cudaSuccess;
}
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* /*kernel*/) {
  attributes->maxThreadsPerBlock = 1024;
  return cudaSuccess;
}

cudaError_t emulate_launch(const cudaLaunchConfig_t& config, const void* kernel, Work body) {
  const std::lock_guard lock(mutex);
  const auto limit = shared_limits.find(kernel);
  const auto allowed =
      limit == shared_limits.end() ? std::size_t{48} * 1024 : static_cast<std::size_t>(limit->second);
  if (config.gridDim.x == 0 || config.blockDim.x == 0 || config.blockDim.x > 1024 ||
      config.dynamicSmemBytes > allowed) {
    return result(cudaErrorInvalidValue);
  }
  config.stream->work.push_back([config, body = std::move(body)] {
    gridDim.x = config.gridDim.x;
    for (unsigned number = 0; number < config.gridDim.x; ++number) {
      qdit::cuda::emulation::run_block(number, config.blockDim.x, config.dynamicSmemBytes, body);
    }
  });
  return cudaSuccess;
}
