// Rows of the pool as candidates, by their numbers: where the pool lies on the device, they are multiplied
// there.
#pragma once

#include <cstdint>
#include <span>

#include "cuda/context.h"
#include "cuda/device.h"
#include "cuda/kernels/layout.h"

namespace qdit::cuda {

class Candidates {
 public:
  static constexpr Index kMost = 8192;

  struct Loaded {
    Operand rows;
    const std::int32_t* ids = nullptr;  // on the device
  };

  explicit Candidates(const Context& context);
  // For work on the stream until the next call; of at most kMost.
  Loaded load(std::span<const std::int32_t> ids);

 private:
  const Context& context_;
  Pinned host_;  // numbers on their way
  Buffer<std::int32_t> ids_;
  std::int64_t used_ = 0;
  Batch batch_;
};

}  // namespace qdit::cuda
