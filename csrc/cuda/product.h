// Batches of candidates with the whole pool, chunk by chunk.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "cuda/context.h"
#include "cuda/device.h"
#include "cuda/kernels/kernels.h"
#include "cuda/pool.h"

namespace qdit::cuda {

// Rows of the pool by chunk, as numbers from the chunk's first row on.
struct Subset {
  Buffer<std::int32_t> ids;          // n, those of a chunk from its first row's place on
  std::vector<std::int32_t> counts;  // by chunk
  Index size() const;
};

class Product {
 public:
  explicit Product(const Context& context) : context_(context) {}

  // out[i] = sum over all rows, or those of `subset`, of max(0, s(c_i, v) - max[v]); on the device.
  void gains(const Operand& candidates, const std::int32_t* max, const Subset* subset, Sum* out);
  // The same sum of what the gains of candidates have lost: launch_losses().
  void losses(const Operand& candidates, const PastRises& rises, const Subset& rows, Sum* out);
  // sims[i * stride + v] = s(c_i, v) for the rows v of the pool.
  void similarities(const Operand& candidates, std::int32_t* sims, std::int64_t stride);
  // For each of some rows at a time: similarities of the batch with rows begin .. + count of the pool.
  // factors: of the pool's rows, if not those of the metric; on the device.
  using Strip = std::function<void(Index begin, Index count, const std::int32_t* sims, std::int64_t stride)>;
  void strips(const Batch& batch, const Strip& use, const float* factors = nullptr);

 private:
  using Launch = std::function<void(const Operand& rows, Index begin)>;
  void for_chunks(const Subset* subset, const Launch& launch);

  const Context& context_;
  Buffer<std::int32_t> strip_;
};

}  // namespace qdit::cuda
