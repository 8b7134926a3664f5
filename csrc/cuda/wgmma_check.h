// Whether the kernels with wgmma compute on a device what those with mma.sync do.
#pragma once

#include <string>

#include "cuda/device.h"
#include "cuda/kernels/layout.h"

namespace qdit::cuda {

// What is wrong with them on this device, which is current, or "". Multiplies rows of small integers, whose
// products are exact in any order, and compares similarities with those of the host, and the gains and counts
// of a pass with those of the kernels with mma.sync. What is right is looked at once in a process.
//
// Throws Error where a kernel has left the device unusable for this process: nothing else can run then.
std::string wgmma_fault(const Device& device, Precision precision);

}  // namespace qdit::cuda
