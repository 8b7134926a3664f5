// The pass over all pairs of the pool, a pair of chunks at a time: every product serves both of its rows.
#pragma once

#include <cstdint>
#include <functional>

#include "cuda/context.h"
#include "cuda/kernels/kernels.h"
#include "cuda/product.h"
#include "engine/types.h"

namespace qdit::cuda {

// fill_in: adds to the rows of a chunk, the first of which is `begin`, what the pass asks of them. launch:
// starts some tiles of a pair of chunks. tick: called with the share that is done.
using LaunchTiles =
    std::function<void(const PassArguments& arguments, std::int64_t first, std::int64_t count)>;
void for_all_pairs(const Context& context, const std::function<void(PassSide& side, Index begin)>& fill_in,
                   const LaunchTiles& launch, const std::function<void(double)>& tick);
// The same for pairs of some rows with all: every product serves the row of `rows` alone.
void for_pairs_of(const Context& context, const Subset& rows,
                  const std::function<void(PassSide& side, Index begin)>& fill_in_rows,
                  const std::function<void(PassSide& side, Index begin)>& fill_in_columns,
                  const LaunchTiles& launch, const std::function<void(double)>& tick);

}  // namespace qdit::cuda
