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

  __device__ Loader(const Operand& operand, std::int32_t first)
      : stride_(operand.stride), depth_(operand.depth) {
    const int thread = static_cast<int>(threadIdx.x);
    unit_ = thread % T::kUnits;
    row_ = thread / T::kUnits;
    high_ = operand.high;
    low_ = operand.low;
    for (int i = 0; i < T::kLoads; ++i) {
      const std::int32_t row = first + row_ + i * T::kLoadedRows;
      const bool there = row < operand.count;
      source_[i] = !there ? -1 : operand.ids != nullptr ? operand.ids[row] : row;
    }
  }

  // `to`: where the operand's planes of a stage start in shared memory.
  __device__ __forceinline__ void load(std::uint32_t to, int slab) const {
    const int column = slab * Shape::kSlab + unit_ * kUnit;
    const bool inside = column < depth_;
    to += static_cast<std::uint32_t>(swizzled<Shape::kSlab>(row_, unit_));
#pragma unroll
    for (int i = 0; i < T::kLoads; ++i) {
      // Rows of one thread lie a multiple of 8 apart: the swizzle is the same.
      const std::uint32_t at = to + static_cast<std::uint32_t>(i * T::kLoadedRows * Shape::kSlab * 2);
      const bool there = inside && source_[i] >= 0;
      const std::int64_t item = there ? static_cast<std::int64_t>(source_[i]) * stride_ + column : 0;
      copy_async(at, high_ + item, there ? 16 : 0);
      if constexpr (Shape::kPlanes == 2) copy_async(at + T::kPlaneBytes, low_ + item, there ? 16 : 0);
    }
  }

 private:
  const std::uint16_t* high_;
  const std::uint16_t* low_;
  std::int32_t source_[T::kLoads];  // rows of the operand; -1: no such row
  int stride_;
  int depth_;
  int unit_;
  int row_;
};

}  // namespace qdit::cuda
