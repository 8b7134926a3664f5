// The fast backend: blocked similarity tiles in registers with the relu-sum fused, own threads, no n x n
// storage.
#pragma once

#include <memory>

#include "engine/backend.h"
#include "engine/pool_options.h"

namespace qdit {

// Throws std::invalid_argument for bad rows or options.
std::unique_ptr<Backend> make_cpu_backend(PoolOptions options);

}  // namespace qdit
