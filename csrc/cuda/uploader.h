// Rows on their way to the device: through pinned buffers, converted there. While one buffer is copied and
// converted the next is filled from the memory map.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "cuda/device.h"
#include "cuda/kernels/kernels.h"
#include "engine/interrupt.h"
#include "engine/rows.h"
#include "engine/types.h"

namespace qdit::cuda {

class Uploader {
 public:
  Uploader(Device& device, Interrupt& interrupt, std::size_t buffer_bytes);
  Uploader(const Uploader&) = delete;
  Uploader& operator=(const Uploader&) = delete;
  ~Uploader();  // waits for copies that are under way

  // Rows `first` .. + count, or rows `ids`, of host memory go to `to` on the stream, what is known of them to
  // `facts` (on the device, may be null). Returns before the last of it is done.
  void rows(const RowView& rows, Index first, Index count, const RowTarget& to, RowFacts* facts,
            cudaStream_t stream);
  void rows(const RowView& rows, std::span<const Index> ids, const RowTarget& to, RowFacts* facts,
            cudaStream_t stream);
  // The same for rows that are on this device.
  void device_rows(const RowView& rows, Index first, Index count, const RowTarget& to, RowFacts* facts,
                   cudaStream_t stream);
  void device_rows(const RowView& rows, std::span<const Index> ids, const RowTarget& to, RowFacts* facts,
                   cudaStream_t stream);

 private:
  template <class Fill>
  void stream_rows(const RowView& rows, Index count, const RowTarget& to, RowFacts* facts,
                   cudaStream_t stream, const Fill& fill);
  void make_room(std::size_t row_bytes);

  struct Stage {
    std::unique_ptr<Pinned> host;
    Buffer<std::byte> raw;
    std::unique_ptr<Event> done;
  };

  Device& device_;
  Interrupt& interrupt_;
  std::size_t bytes_;
  Stage stages_[2];
  Buffer<RowFacts> scratch_;
};

// `to` from row `rows` on.
inline RowTarget moved(const RowTarget& to, Index rows) {
  const std::int64_t items = rows * to.stride;
  return {to.high == nullptr ? nullptr : to.high + items, to.low == nullptr ? nullptr : to.low + items,
          to.stride};
}

}  // namespace qdit::cuda
