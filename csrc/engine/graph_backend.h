// What builds a similarity graph over a pool, whatever device multiplies.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "engine/graph.h"
#include "engine/rows.h"
#include "engine/types.h"

namespace qdit {

class GraphBackend {
 public:
  using Tick = std::function<void(double)>;  // called with the share that is done; may throw

  GraphBackend() = default;
  GraphBackend(const GraphBackend&) = delete;
  GraphBackend& operator=(const GraphBackend&) = delete;
  virtual ~GraphBackend() = default;

  virtual Index size() const = 0;
  virtual Index depth() const = 0;
  virtual double scale() const = 0;  // of similarities: that of the backend of the same name
  // Where and how precisely it multiplies, if there is a choice, and the most memory it took there.
  virtual std::string device() const { return {}; }
  virtual std::int64_t peak_bytes() const { return 0; }

  // The `count` centroids of largest cosine for every row, best first: (n, count). Returns the products of
  // two rows that it took.
  virtual double nearest(const RowView& centroids, Index count, std::span<std::int32_t> ids,
                         const Tick& tick) = 0;

  struct Pairs {
    std::span<const std::int32_t> nearest;  // (n, probes) cells of each row, its own first
    Index probes;
    Index cells;
    Index largest;                         // members of a cell before it is split, about
    std::span<const std::int32_t> floors;  // per row
    Index keep;                            // pairs a row at most
    std::uint64_t seed;
    std::int64_t memory;  // bytes of a device for lists at a time; more than it has free is no error
  };
  struct Result {
    NeighborTable table;
    Index cut_lists = 0;    // rows with more pairs than are kept
    Index parts = 0;        // cells after splitting
    Index rounds = 1;       // times that the rows were gone through, as many as the lists did not fit
    double products = 0.0;  // of two rows
  };
  // Every pair of which one row sees the other (graph_cells.h), and whose similarity is above the floor of
  // either row, is in the lists of both; a list keeps its `keep` best.
  virtual Result pairs(const Pairs& request, const Tick& tick) = 0;
};

}  // namespace qdit
