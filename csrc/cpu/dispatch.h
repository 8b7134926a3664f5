// Which instruction sets were built, which this processor can run, and which one to take.
#pragma once

#include <string>
#include <vector>

#include "cpu/kernels.h"

namespace qdit::cpu {

std::vector<std::string> built_levels();      // slowest first
std::vector<std::string> supported_levels();  // those of them that can run here

// The kernels of `level`; empty: what the environment variable QDIT_SIMD names, else the fastest that can
// run. Throws std::invalid_argument for a level that is unknown or cannot run here.
const Kernels& select_kernels(const std::string& level);

}  // namespace qdit::cpu
