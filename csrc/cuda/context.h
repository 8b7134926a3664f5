// What all parts of the backend work with.
#pragma once

#include "cuda/device.h"
#include "cuda/pool.h"
#include "engine/interrupt.h"
#include "engine/types.h"

namespace qdit::cuda {

struct Context {
  Device& device;
  const Stream& stream;
  Pool& pool;
  Interrupt& interrupt;
  Index n;
};

}  // namespace qdit::cuda
