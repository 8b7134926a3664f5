// Which instruction multiplies on a device, and whether it does so rightly.
#pragma once

#include "cuda/device.h"
#include "cuda/layout.h"

namespace qdit::cuda {

const char* name_of(Kernels kernels);  // as QDIT_CUDA_KERNELS takes it

// wgmma where the current device, number `device`, is of compute capability 9.0 and this library has kernels
// for it; else mma. The environment variable QDIT_CUDA_KERNELS = "mma" or "wgmma" forces one: Error where the
// device has no such kernels.
Kernels choose_kernels(int device);

// Multiplies rows of small integers and compares with the exact products, once for each device and precision
// of a process. Error if one is wrong: wrong similarities must not become picks.
void check_wgmma(Device& device, Precision precision);

}  // namespace qdit::cuda
