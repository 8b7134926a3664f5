// How an engine multiplies: in which precision, by which instruction, and why by that one.
#pragma once

#include <string>

#include "cuda/device.h"
#include "cuda/kernels/layout.h"
#include "engine/pool_options.h"

namespace qdit::cuda {

struct Choice {
  Arithmetic how;
  std::string text;  // what a result is recorded with: the device, how it multiplies, why not by wgmma
};

// Precision: what options ask for; else float16 for rows that are no wider.
//
// Kernels: wgmma where the device is of compute capability 9.0, this library has kernels for it and they
// multiply rightly (wgmma_check.h); else mma. The environment variable QDIT_CUDA_KERNELS = "mma" or "wgmma"
// forces one: Error where wgmma is asked for and cannot be had.
Choice choose_arithmetic(const Device& device, const PoolOptions& options);

}  // namespace qdit::cuda
