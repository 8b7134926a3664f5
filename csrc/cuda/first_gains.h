// The sum of all rows of the pool, each times its factor: what first gains are products with.
#pragma once

#include <span>

#include "cuda/context.h"

namespace qdit::cuda {

// Goes on with the sum where the part of a larger pool before this one ended; both spans have d items. first:
// number of this part's first row in the whole; total: of whole blocks of kSumRows rows; open: of the block
// that row falls into, which this part goes on with. Blocks are cut in the whole, so the bits of the sum do
// not depend on its parts.
void add_row_sum(const Context& context, Index first, std::span<double> total, std::span<double> open);

// A finished sum on the device, padded to the length of stored rows.
Buffer<double> row_sum_on_device(const Context& context, std::span<const double> sum);

}  // namespace qdit::cuda
