// The cpu backend as a part of a larger pool.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "cpu/aligned.h"
#include "cpu/exact_gains.h"
#include "cpu/kernels.h"
#include "cpu/pool.h"
#include "cpu/product.h"
#include "cpu/scaled_pool.h"
#include "cpu/thread_pool.h"
#include "engine/backend.h"
#include "engine/pool_options.h"
#include "engine/shard.h"

namespace qdit::cpu {

class CpuShard final : public Shard {
 public:
  // Of the backend, which outlives this.
  struct Parts {
    const RowView& rows;
    ZeroRows zero_rows;
    const Kernels& kernels;
    ThreadPool& pool;
    const ScaledPool& scaled;
    Product& product;
    AlignedVector<std::int32_t>& max;
    BackendStats& stats;
  };
  using Commit = std::function<void(const ScaledRows& rows, std::span<Fixed> increases)>;

  CpuShard(const Parts& parts, Commit commit, std::function<bool()> empty)
      : parts_(parts), commit_(std::move(commit)), empty_(std::move(empty)) {}

  void reset() { exact_.reset(); }
  double products() const { return exact_ ? exact_->products() : 0.0; }
  std::size_t bytes() const { return exact_ ? exact_->bytes() : 0; }

  void gains(const RowView& candidates, std::span<Fixed> out) override;
  void commit(const RowView& candidates, std::span<Fixed> increases) override;

  bool sums_rows() const override { return true; }
  void sum_rows(Index first, std::span<double> total, std::span<double> open) override;
  void first_gains(std::span<const double> total, std::span<Fixed> out) override;

  bool lists_pairs() const override { return true; }
  void open(std::span<Fixed> gains, Index first, std::size_t memory, const Tick& tick) override;
  void list(const RowView& candidates, Index first, const Tick& tick) override;
  void start() override;
  Index unlisted() const override { return exact_ ? exact_->dense() : 0; }
  PairTable pairs(const Numbered& candidates) override;
  void commit(const Numbered& candidates, std::span<Fixed> increases) override;

 private:
  ScaledRows scaled(const RowView& rows) const { return parts_.scaled.add(rows, parts_.zero_rows); }
  ExactGains& lists(bool ready) const;
  // Calls use(candidates, which), with the rows of the candidates where they came.
  template <class Use>
  void with_rows(const Numbered& candidates, const Use& use);

  Parts parts_;
  Commit commit_;
  std::function<bool()> empty_;
  std::unique_ptr<ExactGains> exact_;
  bool started_ = false;
  Panels panels_;
};

}  // namespace qdit::cpu
