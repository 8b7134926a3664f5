// Rows on their way to shared memory, for all kernels that multiply.
#pragma once

#include "cuda/kernels/layout.h"
#include "cuda/kernels/ptx.h"

namespace qdit::cuda {

// Copies the tile's rows of one operand to shared memory, a slab of columns at a time. A thread takes the
// same unit of kLoads rows.
template <class Shape>
class Loader {
 public:
  using T = Tile<Shape>;

  __device__ Loader(const Operand& operand, std::int32_t first) : depth_(operand.depth) {
    const int thread = static_cast<int>(threadIdx.x);
    unit_ = thread % 8;
    row_ = thread / 8;
    high_ = operand.high;
    low_ = operand.low;
    for (int i = 0; i < T::kLoads; ++i) {
      const std::int32_t row = first + row_ + i * (T::kThreads / 8);
      const bool there = row < operand.count;
      const std::int64_t source = !there ? 0 : operand.ids != nullptr ? operand.ids[row] : row;
      offset_[i] = there ? source * operand.stride + unit_ * kUnit : -1;
    }
  }

  // `to`: where the operand's planes of a stage start in shared memory.
  __device__ __forceinline__ void load(std::uint32_t to, int slab) const {
    const int column = slab * kSlab;
    const bool inside = column + unit_ * kUnit < depth_;
    to += static_cast<std::uint32_t>(swizzled(row_, unit_));
#pragma unroll
    for (int i = 0; i < T::kLoads; ++i) {
      // Rows of one thread lie kThreads / 8 apart, a multiple of 8: the swizzle is the same.
      const std::uint32_t at = to + static_cast<std::uint32_t>(i * (T::kThreads / 8) * kSlab * 2);
      const bool there = inside && offset_[i] >= 0;
      const std::int64_t item = there ? offset_[i] + column : 0;
      copy_async(at, high_ + item, there ? 16 : 0);
      if constexpr (Shape::kPlanes == 2) copy_async(at + T::kPlaneBytes, low_ + item, there ? 16 : 0);
    }
  }

 private:
  const std::uint16_t* high_;
  const std::uint16_t* low_;
  std::int64_t offset_[T::kLoads];  // of this thread's unit of each row in the first slab; -1: no such row
  int depth_;
  int unit_;
  int row_;
};

}  // namespace qdit::cuda
