// What kernels and the host share for the similarity graph: what is compared with what, and lists in order.
#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "check.h"
#include "cuda/comparisons_on_host.h"
#include "cuda/kernels/comparisons.h"

using namespace qdit;
using namespace qdit::cuda;

TEST(lists_of_any_length_are_sorted) {
  std::mt19937 random(3);
  for (std::uint32_t items = 0; items < 300; ++items) {
    std::vector<std::uint_fast32_t> keys(items);
    for (auto& key : keys) key = random() % 100;
    std::vector<std::uint_fast32_t> wanted = keys;
    std::sort(wanted.begin(), wanted.end(), std::greater<>());
    for (std::uint32_t run = 1; run < items; run *= 2) {
      for (std::uint32_t half = run; half > 0; half /= 2) {
        std::set<std::uint32_t> touched;  // no place twice in a step: its pairs may be done in any order
        for (std::uint32_t i = 0; i < sort_pairs(items, half); ++i) {
          const SortPair pair = sort_pair(i, half, half == run);
          CHECK(pair.low < pair.high && touched.insert(pair.low).second && touched.insert(pair.high).second);
          if (pair.high < items && keys[pair.low] < keys[pair.high])
            std::swap(keys[pair.low], keys[pair.high]);
        }
      }
    }
    CHECK(keys == wanted);
  }
}

TEST(a_list_keeps_its_largest_keys_in_order) {
  std::mt19937 random(4);
  for (const std::int32_t count : {1, 2, 7}) {
    std::vector<std::uint_fast32_t> all(50);
    for (auto& key : all) key = 1 + random() % 40;
    std::vector<std::uint_fast32_t> list(static_cast<std::size_t>(3 * count), 0);
    for (const auto key : all) {
      if (key > list[static_cast<std::size_t>(3 * (count - 1))]) insert_key(list.data(), 3, count, key);
    }
    std::sort(all.begin(), all.end(), std::greater<>());
    for (std::int32_t i = 0; i < count; ++i) {
      CHECK(list[static_cast<std::size_t>(3 * i)] == all[static_cast<std::size_t>(i)]);
    }
  }
}

TEST(rounds_take_consecutive_rows_that_fit) {
  const std::vector<std::uint32_t> counts = {3, 3, 0, 4, 90, 1, 0, 9, 1};
  CHECK((rounds_that_fit(counts, 10) == std::vector<Index>{0, 4, 5, 8, 9}));
  CHECK((rounds_that_fit(counts, 1000) == std::vector<Index>{0, 9}));
  CHECK((rounds_that_fit({}, 10) == std::vector<Index>{0, 0}));
}

namespace {

// Some rows in some cells, of which every row sees two.
CellLayout some_layout(Index n, Index largest) {
  std::mt19937 random(7);
  std::vector<std::int32_t> nearest;
  for (Index v = 0; v < n; ++v) {
    const auto own = static_cast<std::int32_t>(random() % 5);
    nearest.push_back(own);
    nearest.push_back((own + 1 + static_cast<std::int32_t>(random() % 4)) % 5);
  }
  return lay_out_cells(nearest, 2, 5, largest, 3);
}

}  // namespace

TEST(comparisons_meet_every_pair_that_a_list_needs_once) {
  constexpr Index kRows = 200;
  for (const Index largest : {Index{1000}, Index{15}}) {
    const CellLayout layout = some_layout(kRows, largest);
    const auto seen_by = [&](Index v, Index c) { return sees(layout.seen.data() + 2 * v, 2, layout.own(c)); };
    for (const std::int64_t most : {std::int64_t{1000}, std::int64_t{13}}) {
      for (const auto& [first, end] : {std::pair<Index, Index>{0, kRows}, {30, 111}, {150, 150}}) {
        std::map<std::pair<Index, Index>, int> met;
        for (const Piece& piece : pieces_of(layout, most)) {
          std::vector<Index> gathered;  // what lies where, as the pass gathers it
          for (auto i = piece.member_begin; i < piece.member_end; ++i) {
            gathered.push_back(layout.members[static_cast<std::size_t>(i)]);
          }
          for (auto i = piece.prober_begin; i < piece.prober_end; ++i) {
            gathered.push_back(layout.probers[static_cast<std::size_t>(i)]);
          }
          CHECK(static_cast<std::int64_t>(gathered.size()) == piece.rows());
          std::vector<Comparison> found;
          compare(layout, piece, first, end, 1000, found);
          const auto number = [&](std::int64_t place) {
            const auto members = static_cast<std::int64_t>(layout.members.size());
            return place < members ? layout.members[static_cast<std::size_t>(place)]
                                   : Index{layout.probers[static_cast<std::size_t>(place - members)]};
          };
          for (const Comparison& comparison : found) {
            for (std::int32_t i = 0; i < comparison.row_count; ++i) {
              const Index v = number(comparison.rows + i);
              CHECK(gathered[static_cast<std::size_t>(comparison.row_place - 1000 + i)] == v);
              for (std::int32_t j = 0; j < comparison.column_count; ++j) {
                const Index c = number(comparison.columns + j);
                CHECK(gathered[static_cast<std::size_t>(comparison.column_place - 1000 + j)] == c);
                if (!comparison.unseen || !seen_by(v, c)) ++met[{v, c}];
              }
            }
          }
        }
        for (Index v = 0; v < kRows; ++v) {
          for (Index c = 0; c < kRows; ++c) {
            const int wanted = v >= first && v < end && (seen_by(v, c) || seen_by(c, v)) ? 1 : 0;
            const auto found = met.find({v, c});
            CHECK((found == met.end() ? 0 : found->second) == wanted);
          }
        }
      }
    }
  }
}

TEST(every_tile_of_every_comparison_is_found_by_its_number) {
  std::vector<Comparison> all(6);
  const std::pair<int, int> shapes[] = {{1, 1}, {64, 65}, {129, 300}, {5, 1000}, {64, 64}, {700, 2}};
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i].row_count = shapes[i].first;
    all[i].column_count = shapes[i].second;
  }
  const std::int64_t tiles = number_tiles(all, 64);
  std::set<std::array<std::int64_t, 3>> met;
  for (std::int64_t index = 0; index < tiles; ++index) {
    const std::int64_t which = comparison_of(all.data(), static_cast<std::int64_t>(all.size()), index);
    const Comparison& comparison = all[static_cast<std::size_t>(which)];
    const ComparedTile tile = tile_of(comparison, index, 64);
    CHECK(tile.first_row < comparison.row_count && tile.first_column < comparison.column_count);
    CHECK(met.insert({which, tile.first_row, tile.first_column}).second);
  }
  CHECK(tiles == 1 + 2 + 15 + 16 + 1 + 11);
}

int main() { return check::run(); }
