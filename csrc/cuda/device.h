// A device, its memory and its streams, each freed by its owner.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cuda/kernels/launch.h"
#include "engine/interrupt.h"

namespace qdit::cuda {

class OutOfMemory : public std::bad_alloc {
 public:
  explicit OutOfMemory(std::string text) : text_(std::move(text)) {}
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::string text_;
};

[[noreturn]] void throw_out_of_memory(std::size_t needed, std::size_t free, const std::string& what);

// Why this device cannot be used, or "" if it can. Throws nothing.
std::string why_not(int device);
std::string describe(int device);  // name and compute capability

// Gives the calling thread its current device back when it ends: others in that thread have their own.
class KeepDevice {
 public:
  KeepDevice() noexcept;
  explicit KeepDevice(int device);  // and makes this one current meanwhile
  KeepDevice(const KeepDevice&) = delete;
  KeepDevice& operator=(const KeepDevice&) = delete;
  ~KeepDevice();

 private:
  int before_ = -1;
};

// A device that is current while the backend works, from its constructor on. Counts what is allocated.
class Device {
 public:
  explicit Device(int index);  // throws Error with the reason if it cannot be used

  int index() const { return index_; }
  void use() const { QDIT_CUDA_CHECK(cudaSetDevice(index_)); }
  // Current until what is returned ends. In a child of fork() there is no device any more: throws.
  [[nodiscard]] KeepDevice enter() const;
  bool in_own_process() const;
  std::size_t free_bytes() const;
  std::size_t used() const { return used_; }
  std::size_t peak() const { return peak_; }

  void* allocate(std::size_t bytes);
  void release(void* pointer, std::size_t bytes) noexcept;

 private:
  int index_;
  long process_;
  std::size_t used_ = 0;
  std::size_t peak_ = 0;
};

// `count` items of device memory, not initialised.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  Buffer(Device& device, std::int64_t count)
      : device_(&device), count_(count), data_(static_cast<T*>(device.allocate(bytes()))) {}
  Buffer(Buffer&& other) noexcept { *this = std::move(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    if (this != &other) {
      free();
      device_ = other.device_;
      count_ = std::exchange(other.count_, 0);
      data_ = std::exchange(other.data_, nullptr);
    }
    return *this;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { free(); }

  void free() noexcept {
    if (data_ != nullptr) device_->release(data_, bytes());
    data_ = nullptr;
    count_ = 0;
  }
  T* data() const { return data_; }
  std::int64_t size() const { return count_; }
  std::size_t bytes() const {
    return static_cast<std::size_t>(std::max<std::int64_t>(count_, 1)) * sizeof(T);
  }
  // At least `count` items; what they held is lost if there were fewer.
  void grow(Device& device, std::int64_t count) {
    if (data_ != nullptr && count_ >= count) return;
    free();
    *this = Buffer(device, count);
  }

 private:
  Device* device_ = nullptr;
  std::int64_t count_ = 0;
  T* data_ = nullptr;
};

// Host memory that copies run from and to on their own.
class Pinned {
 public:
  Pinned(const Device& device, std::size_t bytes);  // plain memory where none can be pinned
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;
  ~Pinned() {
    if (data_ != nullptr && device_.in_own_process()) (void)cudaFreeHost(data_);
  }
  std::byte* data() const { return data_ != nullptr ? static_cast<std::byte*>(data_) : plain_.get(); }

 private:
  const Device& device_;
  void* data_ = nullptr;
  std::unique_ptr<std::byte[]> plain_;
};

class Event {
 public:
  explicit Event(const Device& device) : device_(device) {
    QDIT_CUDA_CHECK(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming));
  }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() {
    if (device_.in_own_process()) (void)cudaEventDestroy(event_);
  }
  void record(cudaStream_t stream) { QDIT_CUDA_CHECK(cudaEventRecord(event_, stream)); }
  // An event that was never recorded counts as reached.
  void wait() { QDIT_CUDA_CHECK(cudaEventSynchronize(event_)); }
  void settle() noexcept { (void)cudaEventSynchronize(event_); }  // the same where nothing may be thrown
  void hold_back(cudaStream_t stream) { QDIT_CUDA_CHECK(cudaStreamWaitEvent(stream, event_, 0)); }

 private:
  const Device& device_;
  cudaEvent_t event_ = nullptr;
};

class Stream {
 public:
  explicit Stream(const Device& device) : device_(device) {
    QDIT_CUDA_CHECK(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() {
    if (device_.in_own_process()) (void)cudaStreamDestroy(stream_);
  }
  cudaStream_t get() const { return stream_; }
  void wait() const {
    ++waits_;
    QDIT_CUDA_CHECK(cudaStreamSynchronize(stream_));
  }

  // Copies that are done on return: the host's memory may be any.
  template <class T>
  void upload(std::span<const T> from, T* to) const {
    send(from, to);
    wait();
  }
  template <class T>
  void download(const T* from, std::span<T> to) const {
    fetch(from, to);
    wait();
  }
  // Copies that are done after the next wait(): the host's memory must stay, and be pinned to run on its own.
  template <class T>
  void send(std::span<const T> from, T* to) const {
    QDIT_CUDA_CHECK(cudaMemcpyAsync(to, from.data(), from.size_bytes(), cudaMemcpyHostToDevice, stream_));
  }
  template <class T>
  void fetch(const T* from, std::span<T> to) const {
    bytes_down_ += static_cast<std::int64_t>(to.size_bytes());
    QDIT_CUDA_CHECK(cudaMemcpyAsync(to.data(), from, to.size_bytes(), cudaMemcpyDeviceToHost, stream_));
  }
  template <class T>
  void copy(const T* from, T* to, std::int64_t count) const {
    const auto bytes = static_cast<std::size_t>(count) * sizeof(T);
    QDIT_CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream_));
  }
  void set(std::uint8_t* to, std::uint8_t value, std::int64_t count) const {
    QDIT_CUDA_CHECK(cudaMemsetAsync(to, value, static_cast<std::size_t>(count), stream_));
  }
  template <class T>
  void zero(T* to, std::int64_t count) const {
    QDIT_CUDA_CHECK(cudaMemsetAsync(to, 0, static_cast<std::size_t>(count) * sizeof(T), stream_));
  }
  // How often the host waited for this stream, and what it copied from the device.
  std::int64_t waits() const { return waits_; }
  std::int64_t bytes_down() const { return bytes_down_; }

 private:
  const Device& device_;
  cudaStream_t stream_ = nullptr;
  mutable std::int64_t waits_ = 0;
  mutable std::int64_t bytes_down_ = 0;
};

// Keeps a few pieces of work under way, and asks between them whether to stop.
class Pace {
 public:
  Pace(const Device& device, Interrupt& interrupt) : interrupt_(interrupt), first_(device), second_(device) {}
  // Call after each piece.
  void launched(cudaStream_t stream) {
    next().record(stream);
    odd_ = !odd_;
    next().wait();  // the piece before
    interrupt_.poll();
  }

 private:
  Event& next() { return odd_ ? second_ : first_; }
  Interrupt& interrupt_;
  Event first_;
  Event second_;
  bool odd_ = false;
};

}  // namespace qdit::cuda
