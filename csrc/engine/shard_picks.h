// Greedy within a few candidates, exact as far as no other candidate comes near.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/score.h"
#include "engine/types.h"

namespace qdit {

// What Shard::pairs() of one part says of the candidates.
struct PairView {
  std::span<const std::int64_t> offsets;  // candidates + 1
  std::span<const std::uint32_t> rows;
  std::span<const std::int32_t> rises;  // > 0
};

struct ShardPicks {
  std::vector<Index> picks;  // positions among the candidates
  std::vector<Fixed> gains;
};

// Picks at most `most` candidates by score, the smaller position on ties, and ends before the first that is
// not better than the rival: the best of all other candidates, whose number stands among `numbers`, those of
// the candidates. parts: of all parts, so that gains are whole. Throws std::invalid_argument for tables that
// are none.
ShardPicks pick_among(std::span<const PairView> parts, std::span<const Index> numbers, const Scorer& scorer,
                      Index most, const Scored& rival);

}  // namespace qdit
