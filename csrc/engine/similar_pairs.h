// Pairs of pool rows that are at least so similar: what near-duplicates are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/types.h"

namespace qdit {

class Backend;

struct SimilarPair {
  std::uint32_t row;
  std::uint32_t other;  // after row
  Fixed sim;            // in fixed point
};

// What is asked for: pairs of a row from begin to end - 1 with any row after it.
struct PairRange {
  Index begin;
  Index end;
  Fixed least;       // similarity in fixed point, above 0
  std::size_t most;  // pairs: std::overflow_error where there are more
};

// Throws std::invalid_argument for a range that is none of n rows.
void check_range(const PairRange& range, Index n);
[[noreturn]] void throw_too_many(const PairRange& range);
// Takes in what one thread or block found; throws where that is too much.
void add_pairs(std::vector<SimilarPair>& found, std::vector<SimilarPair>&& more, const PairRange& range);
void sort_pairs(std::vector<SimilarPair>& pairs);  // by row, then by the other

// By similarities of blocks, on any backend.
std::vector<SimilarPair> similar_pairs_by_blocks(Backend& backend, const PairRange& range);

}  // namespace qdit
