// The CUDA backend as a part of a larger pool. It keeps no lists for others: they evaluate candidates.
#pragma once

#include <functional>
#include <span>

#include "cuda/covering.h"
#include "cuda/product.h"
#include "engine/backend.h"
#include "engine/shard.h"

namespace qdit::cuda {

class CudaShard final : public Shard {
 public:
  // Of the backend, which outlives this.
  struct Parts {
    const Context& context;
    Product& product;
    const Buffer<std::int32_t>& max;
    BackendStats& stats;
  };
  using Load = Covering::Load;
  // commit: adds rows to the selection, some at a time, one increase for each. check: throws after a commit
  // that was interrupted. empty: whether nothing is chosen.
  struct Calls {
    std::function<void(const Load& load, std::span<Fixed> increases)> commit;
    std::function<void()> check;
    std::function<bool()> empty;
  };

  CudaShard(const Parts& parts, Calls calls) : parts_(parts), calls_(std::move(calls)) {}

  void gains(const RowView& candidates, std::span<Fixed> out) override;
  using Shard::commit;
  void commit(const RowView& candidates, std::span<Fixed> increases) override;

  bool sums_rows() const override { return true; }
  void sum_rows(Index first, std::span<double> total, std::span<double> open) override;
  void first_gains(std::span<const double> total, std::span<Fixed> out) override;

 private:
  Parts parts_;
  Calls calls_;
  Batch batch_;
  Buffer<Sum> out_;
};

}  // namespace qdit::cuda
