// The slow version as a real backend: float64, plain loops, one thread, nothing clever.
#pragma once

#include <memory>

#include "engine/backend.h"
#include "engine/pool_options.h"

namespace qdit {

std::unique_ptr<Backend> make_reference_backend(PoolOptions options);

}  // namespace qdit
