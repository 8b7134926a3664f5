// The pool on the device: whole where it fits, else in chunks of which a few are there at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "cuda/device.h"
#include "cuda/kernels/kernels.h"
#include "cuda/uploader.h"
#include "engine/pool_options.h"

namespace qdit::cuda {

// A batch of rows, one after the other: candidates, outside rows, centroids.
struct Batch {
  Buffer<std::uint16_t> high;
  Buffer<std::uint16_t> low;
  Buffer<float> factors;
  Operand operand;
};

class Pool {
 public:
  // Reads all rows once and checks them: std::invalid_argument names the first bad one.
  Pool(Device& device, const Stream& stream, const PoolOptions& options, const Arithmetic& how,
       Interrupt& interrupt);

  const Arithmetic& arithmetic() const { return arithmetic_; }
  double scale() const { return scale_; }
  double range() const { return range_; }
  std::int32_t floor() const { return floor_; }
  std::span<const Index> ignored() const { return ignored_; }
  std::span<const Index> outside_ignored() const { return outside_ignored_; }

  Index chunks() const { return divide_up(n_, chunk_rows_); }
  Index begin(Index chunk) const { return chunk * chunk_rows_; }
  Index end(Index chunk) const { return std::min(n_, (chunk + 1) * chunk_rows_); }
  bool resident() const { return chunks() == 1; }
  // The rows of a chunk, for work on the main stream. Stays valid until two other chunks were asked for.
  Operand chunk(Index chunk);
  // All work on the chunks handed out so far has been started: their memory is free after it.
  void started();
  // Starts to bring a chunk while other work is under way.
  void prefetch(Index chunk);

  void gather(std::span<const Index> ids, Batch& batch);
  void gather_outside(std::span<const Index> ids, Batch& batch);
  // Other rows on the same scale. Under "dot" none may be longer than the pool's longest; rows of zeros are
  // refused under "cosine", but not as candidates where the pool may have them.
  void load(const RowView& rows, Index first, Index count, Batch& batch) {
    load(rows, first, count, metric_, ZeroRows::kError, batch);
  }
  void load_candidates(const RowView& rows, Index first, Index count, Batch& batch) {
    load(rows, first, count, metric_, zero_rows_, batch);
  }
  // Other rows for cosines with the pool's, whatever the metric is; cosine_factors() are the pool's for that.
  void load_directions(const RowView& rows, Index first, Index count, Batch& batch) {
    load(rows, first, count, Metric::kCosine, ZeroRows::kError, batch);
  }
  std::span<const float> cosine_factors() const {
    return metric_ == Metric::kCosine ? host_factors_ : cosine_factors_;
  }

 private:
  struct Slot {
    Buffer<std::uint16_t> high;
    Buffer<std::uint16_t> low;
    std::unique_ptr<Event> ready;  // on the copy stream: the chunk is there
    std::unique_ptr<Event> free;   // on the main stream: nobody needs what was there
    Index chunk = -1;
    bool handed_out = false;
    std::uint64_t used = 0;
  };

  std::vector<RowFacts> check(const RowView& rows, bool on_device, std::vector<Index>& ignored,
                              const RowTarget& keep);
  std::vector<float> factors(std::span<const RowFacts> facts, Metric metric) const;
  void load(const RowView& rows, Index first, Index count, Metric metric, ZeroRows zero_rows, Batch& batch);
  void choose_chunks(Index wanted);
  RowTarget target(const Slot& slot) const;
  RowTarget room(Batch& batch, std::size_t count);
  void finish(Batch& batch, std::span<const float> factors, std::size_t count);
  Slot& bring(Index chunk);

  Device& device_;
  const Stream& stream_;
  Stream copies_;
  RowView rows_;
  RowView outside_;
  bool on_device_;
  Metric metric_;
  ZeroRows zero_rows_;
  Arithmetic arithmetic_;
  Index n_;
  std::int32_t stride_;
  Index chunk_rows_;
  bool borrowed_;  // the caller's device memory is used as it is
  Uploader uploader_;
  double range_ = 1.0;
  int exponent_ = 0;
  double scale_ = 1.0;
  std::int32_t floor_ = 0;
  std::vector<Index> ignored_;
  std::vector<Index> outside_ignored_;
  std::vector<float> host_factors_;
  std::vector<float> outside_factors_;
  std::vector<float> cosine_factors_;  // where those of the metric are others
  Buffer<float> factors_;
  std::vector<Slot> slots_;
  std::uint64_t clock_ = 0;
  Buffer<std::int32_t> ids_;
};

}  // namespace qdit::cuda
