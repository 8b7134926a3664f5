// What kernels and the host share: halves, tile maps, packed sums, decisions about lists.
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>
#include <set>
#include <tuple>
#include <utility>

#include "check.h"
#include "cuda/kernels/epilogue.h"
#include "cuda/kernels/half.h"
#include "cuda/kernels/layout.h"
#include "cuda/kernels/tile_map.h"
#include "cuda/lists_on_host.h"
#include "engine/rows.h"
#include "engine/score.h"

using namespace qdit;
using namespace qdit::cuda;

namespace {

double exact_half(std::uint16_t bits) {
  RowView rows;
  rows.data = reinterpret_cast<const std::byte*>(&bits);
  rows.n = rows.d = 1;
  rows.dtype = DType::kFloat16;
  return item_value(rows, 0, 0);
}

std::int64_t tiles_walked(const TileMap& map, std::set<std::pair<int, int>>& seen) {
  std::int64_t used = 0;
  for (std::int64_t i = 0; i < map.squares() * kSquare * kSquare; ++i) {
    const TilePlace place = map.at(i);
    if (!place.used) continue;
    ++used;
    seen.insert({place.row, place.column});
  }
  return used;
}

}  // namespace

TEST(every_half_becomes_the_float_it_stands_for_and_comes_back) {
  for (unsigned bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float value = half_to_float(half);
    const double wanted = exact_half(half);
    if (std::isnan(wanted)) {
      CHECK(std::isnan(value) && std::isnan(half_to_float(float_to_half(value))));
      continue;
    }
    CHECK(static_cast<double>(value) == wanted);
    CHECK(float_to_half(value) == half);
  }
}

TEST(floats_round_to_the_nearest_half_ties_to_even) {
  std::mt19937 random(1);
  const auto check = [](float value) {
    const std::uint16_t got = float_to_half(value);
    if (std::fabs(value) >= 65520.0f) {
      CHECK((got & 0x7fff) == 0x7c00);
      return;
    }
    const double error = std::fabs(exact_half(got) - static_cast<double>(value));
    for (const int step : {-1, 1}) {  // the neighbours are no nearer, and no even one is as near
      const auto other = static_cast<std::uint16_t>(got + step);
      if ((got & 0x7fff) == 0 || (other & 0x7fff) > 0x7bff) continue;
      const double distance = std::fabs(exact_half(other) - static_cast<double>(value));
      CHECK(error < distance || (error == distance && (got & 1) == 0));
    }
  };
  for (unsigned bits = 0; bits < 0x7c00; ++bits) {
    const float low = half_to_float(static_cast<std::uint16_t>(bits));
    const float middle = (low + half_to_float(static_cast<std::uint16_t>(bits + 1))) / 2;
    if (!std::isfinite(middle)) continue;
    for (const float value : {middle, std::nextafterf(middle, 0.0f), std::nextafterf(middle, 1e9f)}) {
      check(value);
      check(-value);
    }
  }
  for (int i = 0; i < 100000; ++i) {
    check(std::ldexp(static_cast<float>(random()) / 4e9f, static_cast<int>(random() % 60) - 40));
  }
  CHECK((float_to_half(std::numeric_limits<float>::infinity()) & 0x7fff) == 0x7c00);
}

TEST(a_split_item_holds_22_bits) {
  std::mt19937 random(2);
  for (int i = 0; i < 100000; ++i) {
    // As rows are shifted: the largest items lie below 2^15.
    const float value =
        std::ldexp(0.5f + static_cast<float>(random()) / 1e10f, static_cast<int>(random() % 20) - 4);
    const SplitItem item = split_item(value);
    const double back = static_cast<double>(half_to_float(item.high)) +
                        static_cast<double>(half_to_float(item.low)) / static_cast<double>(kLowScale);
    CHECK(std::fabs(back - static_cast<double>(value)) <= std::ldexp(static_cast<double>(value), -22));
  }
  for (int whole = -2048; whole <= 2048; ++whole) {
    CHECK(half_to_float(split_item(static_cast<float>(whole)).high) == static_cast<float>(whole));
    CHECK(half_to_float(split_item(static_cast<float>(whole)).low) == 0.0f);
  }
}

TEST(rows_are_shifted_into_the_range_of_halves) {
  for (int exponent = -148; exponent <= 127; ++exponent) {
    for (const float mantissa : {1.0f, 1.5f, 1.9999f}) {
      const float largest = std::ldexp(mantissa, exponent);
      if (!std::isfinite(largest) || largest == 0.0f) continue;
      const float scaled = scaled_by(largest, row_shift(largest));
      CHECK(scaled >= 0x1p14f && scaled < 0x1p15f);
      CHECK(scaled == std::ldexp(largest, row_shift(largest)));
    }
  }
  CHECK(row_shift(0.0f) == 0);
  CHECK(row_shift(std::numeric_limits<float>::infinity()) == 0);
}

TEST(every_tile_of_a_rectangle_is_walked_once) {
  for (const auto& [rows, columns] : {std::pair{1, 1}, {1, 40}, {40, 1}, {16, 16}, {17, 33}, {31, 64}}) {
    std::set<std::pair<int, int>> seen;
    CHECK(tiles_walked({rows, columns, false}, seen) == rows * columns);
    CHECK(static_cast<int>(seen.size()) == rows * columns);
  }
}

TEST(every_tile_on_and_above_the_diagonal_is_walked_once) {
  for (const int tiles : {1, 2, 15, 16, 17, 32, 33, 65}) {
    std::set<std::pair<int, int>> seen;
    CHECK(tiles_walked({tiles, tiles, true}, seen) == tiles * (tiles + 1) / 2);
    CHECK(static_cast<int>(seen.size()) == tiles * (tiles + 1) / 2);
    for (const auto& [row, column] : seen) CHECK(row <= column && column < tiles);
  }
}

TEST(a_walk_by_steps_comes_to_the_same_tiles) {
  for (const auto& [rows, columns, symmetric] :
       {std::tuple{65, 65, true}, {17, 17, true}, {33, 40, false}, {3, 70, false}}) {
    const TileMap map{rows, columns, symmetric};
    const std::int64_t all = map.squares() * kSquare * kSquare;
    for (const int step : {1, 7, 132, 264, 1000}) {
      for (const std::int64_t first : {std::int64_t{0}, std::int64_t{5}, all / 3, all - 1}) {
        TileWalk walk(map, first);
        for (std::int64_t i = first; i < all; i += step, walk.advance(step)) {
          const TilePlace place = walk.place();
          const TilePlace wanted = map.at(i);
          CHECK(place.used == wanted.used && place.row == wanted.row && place.column == wanted.column);
        }
      }
    }
  }
}

TEST(squares_of_a_triangle_are_found_from_their_numbers) {
  for (const std::int64_t c : {1L, 2L, 3L, 1000L, 47453132L, 1L << 25}) {
    const std::int64_t first = c * (c + 1) / 2;  // of column c
    const TileMap map{1 << 30, 1 << 30, true};
    for (const std::int64_t square : {first - 1, first}) {
      const TilePlace place = map.at(square * kSquare * kSquare);
      CHECK(place.column / kSquare == (square < first ? c - 1 : c));
      CHECK(place.row / kSquare == (square < first ? c - 1 : 0));
    }
  }
}

TEST(the_largest_maps_do_not_overflow) {
  const std::int32_t tiles = 1 << 23;  // 2^30 rows of 128
  const TileMap map{tiles, tiles, true};
  const std::int64_t last = map.squares() * kSquare * kSquare - 1;
  const TilePlace place = map.at(last);
  CHECK(place.row == tiles - 1 && place.column == tiles - 1 && place.used);
  CHECK(map.at(0).row == 0 && map.at(0).column == 0);
  const TileMap million{10157, 10157, true};  // 1.3 million rows
  CHECK(million.squares() == 635L * 636 / 2);
}

namespace {

template <int kItems>
void check_banks() {
  constexpr int kUnits = kItems / kUnit;
  std::set<int> places;
  for (int unit = 0; unit < kUnits; ++unit) {
    for (int first = 0; first < 128; first += 8) {
      std::set<int> groups;
      for (int row = first; row < first + 8; ++row) {
        groups.insert(swizzled<kItems>(row, unit) / 16 % 8);
        places.insert(swizzled<kItems>(row, unit));
      }
      CHECK(groups.size() == 8);
    }
  }
  CHECK(places.size() == 128 * kUnits && *places.rbegin() == 128 * kItems * 2 - 16);
}

}  // namespace

TEST(a_tiles_units_lie_in_different_banks) {
  check_banks<64>();
  check_banks<32>();
}

TEST(sums_and_counts_share_a_word) {
  constexpr std::uint32_t kLargest = 1u << 27;
  Sum value = 0;
  for (int i = 0; i < 16; ++i) value += packed(8 * kLargest, 8);  // a row of 128 columns
  CHECK(packed_sum(value) == Sum{128} * kLargest && packed_count(value) == 128);
}

TEST(fixed_point_and_relu) {
  CHECK(to_fixed(3.0f, 0.5f) == 2 && to_fixed(5.0f, 0.5f) == 2 && to_fixed(-3.0f, 0.5f) == -2);
  CHECK(to_fixed(1e30f, 1e5f) == INT32_MAX && to_fixed(-1e30f, 1e5f) == INT32_MIN);
  constexpr std::int32_t kOne = 1 << kScaleBits;
  CHECK(relu_difference(kOne, -kOne) == 1u << 27);
  CHECK(relu_difference(-kOne, kOne) == 0);
  CHECK(relu_difference(kNoPair, -kOne) == 0 && relu_difference(kOne, kNoRowMax) == 0);
  CHECK(relu_difference(kNoPair, kNoRowMax) == 0);
}

TEST(nearest_keys_order_by_similarity_then_number) {
  const std::int32_t sims[] = {INT32_MIN, -5, 0, 5, INT32_MAX};
  for (const std::int32_t a : sims) {
    for (const std::int32_t b : sims) {
      CHECK((nearest_key(a, 7) > nearest_key(b, 7)) == (a > b));
      CHECK((nearest_key(a, 3) > nearest_key(a, 4)));
    }
    CHECK(key_sim(nearest_key(a, 9)) == a && key_id(nearest_key(a, 9)) == 9);
    CHECK(nearest_key(a, 1 << 30) > 0);
  }
}

// A list that is walked as its row's maximum rises, against gains from the definition.
TEST(changes_keep_gains_and_complete_parts) {
  for (const std::int32_t threshold : {0, 40, 70, 200}) {
    for (std::int32_t sim = 0; sim <= 100; sim += 5) {
      std::int32_t max = 0;
      std::int64_t gain = std::max(0, sim - max);
      std::int64_t complete = threshold <= max ? gain : 0;
      for (const std::int32_t to : {10, 40, 45, 70, 71, 100}) {
        if (sim > threshold && sim > max) {  // it is still listed
          const Change change = change_of(sim, max, to, threshold <= max, threshold <= to);
          gain += change.gain;
          complete += change.complete;
        }
        max = to;
        const std::int64_t now = std::max(0, sim - max);
        CHECK(gain >= now);  // pairs that are not listed are upper bounds
        if (sim > threshold) CHECK(gain == now);
        CHECK(complete == (threshold <= max ? now : 0));
      }
    }
  }
}

TEST(lists_are_given_what_fits) {
  const std::vector<std::uint32_t> alive = {0, 10, 3, 10, 1};
  CHECK(rank_that_fits(alive, 2.0, 1000.0) == 10);
  CHECK(rank_that_fits(alive, 2.0, 2.0 * (0 + 5 + 3 + 5 + 1)) == 5);
  CHECK(rank_that_fits(alive, 2.0, 2.0 * (0 + 5 + 3 + 5 + 1) - 0.1) == 4);
  CHECK(rank_that_fits(alive, 2.0, 0.0) == 0);
  std::vector<std::uint32_t> counts = {5, 9, 2, 9, 4};
  const auto dropped = drop_longest(counts, 12);
  CHECK((dropped == std::vector<Index>{1, 3}));
  CHECK((counts == std::vector<std::uint32_t>{5, 0, 2, 0, 4}));
  CHECK((running_sums(counts) == std::vector<std::int64_t>{0, 5, 5, 7, 7, 11}));
  CHECK(drop_longest(counts, 11).empty());
  CHECK(drop_longest(counts, 0).size() >= 3);
  CHECK(std::accumulate(counts.begin(), counts.end(), 0u) == 0);
}

TEST(scores_and_ties) {
  const double bonus[] = {0.5, 0.5, 0.25};
  const Scorer scorer(0.1, bonus);
  for (const Fixed gain : {Fixed{0}, Fixed{3}, Fixed{-7}, Fixed{1} << 60}) {
    CHECK(scorer(1, gain) == score_of(0.1, gain, 0.5));
  }
  CHECK(better({1.0, 5}, {0.5, 1}) && better({1.0, 1}, {1.0, 5}) && !better({1.0, 5}, {1.0, 1}));
}

TEST(losses_are_what_gains_over_risen_maxima_differ_by) {
  std::mt19937 random(4);
  const auto draw = [&] { return static_cast<std::int32_t>(random() % 200) - 100; };
  for (int i = 0; i < 20000; ++i) {
    const std::int32_t sim = draw();
    const std::int32_t from = draw();
    const std::int32_t to = from + static_cast<std::int32_t>(random() % 60);
    const std::int32_t threshold = draw();
    const std::uint32_t wanted = sim > threshold ? 0u : relu_difference(sim, from) - relu_difference(sim, to);
    CHECK(lost(sim, from, to, threshold) == wanted);
  }
  CHECK(lost(kNoPair, 0, 5, kNoList) == 0 && lost(7, kNoRowMax, kNoRowMax, kNoList) == 0);
}

int main() { return check::run(); }
