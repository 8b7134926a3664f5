// The similarity graph: cells, pairs, lists that are full, and greedy on it.
#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <set>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "check.h"
#include "cpu/graph_builder.h"
#include "cpu/graph_greedy.h"
#include "cpu/graph_lists.h"
#include "engine/graph_cells.h"
#include "engine/interrupt.h"
#include "pools.h"

using namespace qdit;
using namespace qdit::cpu;

namespace {

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

// (n, probes) distinct cells of each row: consecutive ones from a random start.
std::vector<std::int32_t> random_cells(Index n, Index probes, Index cells, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::int32_t> out;
  for (Index v = 0; v < n; ++v) {
    const auto first = static_cast<Index>(random() % static_cast<unsigned>(cells));
    for (Index p = 0; p < probes; ++p) out.push_back(static_cast<std::int32_t>((first + p) % cells));
  }
  return out;
}

GraphBuilder::Result build(const IntegerPool& pool, const std::vector<std::int32_t>& nearest, Index probes,
                           Index cells, const std::vector<std::int32_t>& floors, Index keep, int threads,
                           Index largest = 1 << 20) {
  PoolOptions options = pool.options();
  options.threads = threads;
  GraphBuilder builder(std::move(options));
  return builder.pairs({nearest, probes, cells, largest, floors, keep, 3, 0}, [](double /*share*/) {});
}

GraphView view(const NeighborTable& table) {
  return {table.offsets, {table.pairs.get(), static_cast<std::size_t>(table.offsets.back())}};
}

double scale_of(const IntegerPool& pool) { return GraphBuilder(pool.options()).scale(); }

using Row = std::vector<std::pair<std::int32_t, std::uint32_t>>;  // (-sim, row), as lists are sorted

// Pairs of which one row probes the cell of the other, above the floor of either.
std::vector<Row> expected(const IntegerPool& pool, const std::vector<std::int32_t>& nearest, Index probes,
                          const std::vector<std::int32_t>& floors) {
  const double scale = scale_of(pool);
  const auto sees = [&](Index v, Index c) {
    const auto* cells = nearest.data() + at(v * probes);
    return std::find(cells, cells + probes, nearest[at(c * probes)]) != cells + probes;
  };
  std::vector<Row> out(at(pool.n));
  for (Index v = 0; v < pool.n; ++v) {
    for (Index c = 0; c < pool.n; ++c) {
      const auto sim = static_cast<std::int32_t>(static_cast<double>(pool.dot(v, c)) * scale);
      if ((sees(v, c) || sees(c, v)) && sim > std::min(floors[at(v)], floors[at(c)])) {
        out[at(v)].push_back({-sim, static_cast<std::uint32_t>(c)});
      }
    }
    std::sort(out[at(v)].begin(), out[at(v)].end());
  }
  return out;
}

Row row_of(const NeighborTable& table, Index v) {
  Row out;
  for (const Neighbor& neighbor : view(table).neighbors(v)) out.push_back({-neighbor.sim, neighbor.row});
  return out;
}

std::vector<std::int32_t> some_floors(const IntegerPool& pool) {
  const auto unit = static_cast<std::int32_t>(scale_of(pool));
  std::vector<std::int32_t> floors;
  for (Index v = 0; v < pool.n; ++v) floors.push_back(static_cast<std::int32_t>(v % 5) * 4 * unit);
  return floors;
}

}  // namespace

TEST(pairs_are_those_above_a_floor_in_probed_cells) {
  for (const auto [n, d, cells, probes] :
       {std::array<Index, 4>{1, 3, 1, 1}, {70, 5, 4, 2}, {333, 19, 7, 3}, {600, 40, 3, 3}}) {
    const IntegerPool pool(n, d, 5);
    const auto nearest = random_cells(n, probes, cells, 1);
    const auto floors = some_floors(pool);
    const auto wanted = expected(pool, nearest, probes, floors);
    for (const int threads : {1, 2, 3}) {
      const auto result = build(pool, nearest, probes, cells, floors, n, threads);
      for (Index v = 0; v < n; ++v) CHECK(row_of(result.table, v) == wanted[at(v)]);
      CHECK(result.cut_lists == 0);
    }
  }
}

TEST(full_lists_keep_the_best_whatever_the_order) {
  const IntegerPool pool(500, 16, 6);
  const auto nearest = random_cells(500, 3, 6, 2);
  const auto floors = some_floors(pool);
  const auto wanted = expected(pool, nearest, 3, floors);
  for (const Index keep : {1, 7, 40}) {
    for (const int threads : {1, 4}) {
      const auto result = build(pool, nearest, 3, 6, floors, keep, threads);
      Index cut = 0;
      for (Index v = 0; v < pool.n; ++v) {
        Row best = wanted[at(v)];
        cut += static_cast<Index>(best.size()) > keep ? 1 : 0;
        best.resize(std::min(best.size(), at(keep)));
        CHECK(row_of(result.table, v) == best);
      }
      CHECK(result.cut_lists == cut);
    }
  }
}

void check_lists(Index keep) {
  constexpr Index kRows = 9;
  constexpr std::uint32_t kEach = 4000;
  NeighborLists lists(kRows, keep);
  std::vector<std::thread> writers;
  for (std::uint32_t t = 0; t < 4; ++t) {
    writers.emplace_back([&lists, t] {
      for (std::uint32_t i = t; i < kEach; i += 4) {
        const NeighborKey key = neighbor_key(i, static_cast<std::int32_t>(i * 7919u % 1000u) - 500);
        for (Index v = 0; v < kRows; ++v) {
          if (key > lists.cutoff(v)) lists.append(v, {&key, 1});
        }
      }
    });
  }
  for (auto& writer : writers) writer.join();
  Row wanted;
  for (std::uint32_t i = 0; i < kEach; ++i) {
    wanted.push_back({500 - static_cast<std::int32_t>(i * 7919u % 1000u), i});
  }
  std::sort(wanted.begin(), wanted.end());
  wanted.resize(at(keep));
  Interrupt interrupt;
  ThreadPool pool(2, interrupt);
  const NeighborTable table = lists.finish(pool);
  for (Index v = 0; v < kRows; ++v) CHECK(row_of(table, v) == wanted);
}

TEST(lists_take_pairs_from_several_threads) {
  for (const Index keep : {3, 100, 1500}) check_lists(keep);
}

TEST(cells_are_split_and_every_row_sees_its_own_part) {
  constexpr Index kRows = 1000;
  constexpr Index kProbes = 2;
  std::vector<std::int32_t> nearest;
  for (Index v = 0; v < kRows; ++v) {
    const std::int32_t own = v % 10 < 8 ? 0 : 1;  // one cell has 80% of all rows
    nearest.push_back(own);
    nearest.push_back(1 - own);
  }
  const CellLayout layout = lay_out_cells(nearest, kProbes, 2, 100, 9);
  CHECK(layout.parts() > 8);
  std::vector<Index> all(layout.members);
  std::sort(all.begin(), all.end());
  std::vector<Index> every(at(kRows));
  std::iota(every.begin(), every.end(), Index{0});
  CHECK(all == every);
  for (Index part = 0; part < layout.parts(); ++part) {
    const auto begin = layout.member_begin[at(part)];
    const auto end = layout.member_begin[at(part) + 1];
    const auto from = layout.prober_begin[at(part)];
    const auto to = layout.prober_begin[at(part) + 1];
    const std::set<std::uint32_t> probers(layout.probers.begin() + from, layout.probers.begin() + to);
    CHECK(end - begin < 200);
    CHECK(probers.size() == static_cast<std::size_t>(to - from));
    for (auto i = begin; i < end; ++i) {
      const Index row = layout.members[at(i)];
      CHECK(layout.own(row) == part);
      CHECK(probers.count(static_cast<std::uint32_t>(row)) == 1);
    }
  }
}

TEST(greedy_on_a_graph_equals_gains_computed_anew) {
  const IntegerPool pool(300, 12, 8);
  const auto nearest = random_cells(300, 2, 5, 4);
  const auto result = build(pool, nearest, 2, 5, some_floors(pool), 60, 2);
  const GraphView graph = view(result.table);
  std::vector<double> bonus(300);
  for (std::size_t i = 0; i < bonus.size(); ++i) bonus[i] = static_cast<double>(i % 11);
  const Scorer scorer(1.0 / scale_of(pool), bonus);
  std::vector<std::uint8_t> open(300, 1);
  open[17] = 0;
  std::vector<std::int32_t> max(300, 0);
  std::vector<std::int32_t> own(max);
  Interrupt interrupt;
  ThreadPool threads(3, interrupt);
  GraphGreedy greedy(graph, max);
  greedy.sum_gains(threads);
  GraphGreedy::Result got;
  greedy.run(40, scorer, open, got, [] {});
  CHECK(got.picks.size() == 40);
  for (std::size_t step = 0; step < got.picks.size(); ++step) {
    std::vector<Fixed> gains(300, 0);
    for (Index v = 0; v < 300; ++v) {
      for (const Neighbor& neighbor : graph.neighbors(v)) {
        gains[neighbor.row] += std::max(0, neighbor.sim - own[at(v)]);
      }
    }
    Scored best;
    for (Index c = 0; c < 300; ++c) {
      const Scored scored{scorer(c, gains[at(c)]), c};
      if (open[at(c)] != 0 && (best.candidate < 0 || better(scored, best))) best = scored;
    }
    CHECK(got.picks[step] == best.candidate);
    CHECK(got.gains[step] == gains[at(best.candidate)]);
    open[at(best.candidate)] = 0;
    for (const Neighbor& neighbor : graph.neighbors(best.candidate)) {
      own[neighbor.row] = std::max(own[neighbor.row], neighbor.sim);
    }
  }
  CHECK(max == own);
}

TEST(a_neighbor_that_is_no_row_is_refused) {
  const std::vector<std::int64_t> offsets{0, 1, 1};
  const std::vector<Neighbor> pairs{{2, 5}};
  std::vector<std::int32_t> max(2, 0);
  GraphGreedy greedy({offsets, pairs}, max);
  Interrupt interrupt;
  ThreadPool threads(1, interrupt);
  CHECK_THROWS(greedy.sum_gains(threads), std::invalid_argument, "2");
}

TEST(the_nearest_centroids_are_the_most_similar_ones) {
  const IntegerPool pool(90, 6, 3);
  const IntegerPool centroids(11, 6, 4);
  PoolOptions options = pool.options();
  options.metric = Metric::kCosine;
  options.zero_rows = ZeroRows::kIgnore;
  options.threads = 2;
  GraphBuilder builder(std::move(options));
  std::vector<std::int32_t> ids(90 * 4);
  builder.nearest(centroids.view(), 4, ids, [](double /*share*/) {});
  for (Index v = 0; v < 90; ++v) {
    std::vector<double> found;
    std::vector<double> all;
    for (Index c = 0; c < 11; ++c) {
      double dot = 0.0;
      double length = 0.0;
      for (Index k = 0; k < 6; ++k) {
        const double x = centroids.values[at(c * 6 + k)];
        dot += x * static_cast<double>(pool.values[at(v * 6 + k)]);
        length += x * x;
      }
      all.push_back(dot / std::sqrt(length));
    }
    for (Index j = 0; j < 4; ++j) found.push_back(all[static_cast<std::size_t>(ids[at(v * 4 + j)])]);
    std::sort(all.begin(), all.end(), std::greater<>());
    for (std::size_t j = 0; j < 4; ++j) CHECK(std::fabs(found[j] - all[j]) < 1e-5);
  }
}

int main() { return check::run(); }
