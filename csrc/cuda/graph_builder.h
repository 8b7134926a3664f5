// Builds a similarity graph on the device: cpu/graph_builder.h for what it is.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cuda/device.h"
#include "cuda/graph_pairs.h"
#include "cuda/kernel_choice.h"
#include "cuda/pool.h"
#include "cuda/product.h"
#include "engine/graph_backend.h"
#include "engine/pool_options.h"

namespace qdit::cuda {

class GraphBuilder final : public GraphBackend {
 public:
  explicit GraphBuilder(PoolOptions options);
  GraphBuilder(const GraphBuilder&) = delete;
  GraphBuilder& operator=(const GraphBuilder&) = delete;
  GraphBuilder(GraphBuilder&&) = delete;
  GraphBuilder& operator=(GraphBuilder&&) = delete;
  ~GraphBuilder() override;

  Index size() const override { return options_.rows.n; }
  Index depth() const override { return options_.rows.d; }
  double scale() const override { return pool_->scale(); }
  std::string device() const override { return choice_.text; }
  std::int64_t peak_bytes() const override { return static_cast<std::int64_t>(device_.peak()); }
  double nearest(const RowView& centroids, Index count, std::span<std::int32_t> ids,
                 const Tick& tick) override;
  Result pairs(const Pairs& request, const Tick& tick) override;

 private:
  std::int64_t capacity(std::int64_t memory) const;
  void round(PairPass& pass, Index first, Index end, std::span<const std::uint32_t> counts,
             NeighborTable& table, const Tick& tick);
  void download(Index first, Index end, const Sum* keys, const std::int64_t* list_begin,
                NeighborTable& table);

  std::optional<KeepDevice> leaving_;  // first, so that it is the last to end
  PoolOptions options_;
  Device device_;
  Stream stream_;
  Choice choice_;
  std::unique_ptr<Pool> pool_;
  Context context_;
  Product product_;
};

std::unique_ptr<GraphBackend> make_graph_builder(PoolOptions options);

}  // namespace qdit::cuda
