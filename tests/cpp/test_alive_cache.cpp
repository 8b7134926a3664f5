#include <vector>

#include "check.h"
#include "cpu/alive_cache.h"

using namespace qdit;
using cpu::AliveCache;
using cpu::CandidatePair;
using cpu::FoundPairs;

namespace {

constexpr Index kRows = 100;

// One candidate with pairs of these rows, similarity 10 each, as two threads found them.
void store(AliveCache& cache, Index candidate, std::uint32_t rows) {
  FoundPairs found(2, 1, 1 << 20);
  for (std::uint32_t row = 0; row < rows; ++row) found.add(row % 2, 0, {row, 10});
  cache.store(std::vector<Index>{candidate}, found);
}

}  // namespace

TEST(too_little_memory_means_no_cache) {
  const std::vector<std::int32_t> max(kRows, 0);
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{1500}}) {
    AliveCache none(kRows, bytes);
    CHECK(none.room(max.data(), 0) == 0);
    store(none, 3, 5);
    CHECK(!none.contains(3));
    CHECK(none.bytes() == 0);
    none.clear();
  }
}

TEST(a_gain_counts_what_is_above_the_maxima_and_forgets_the_rest) {
  AliveCache cache(kRows, 1 << 20);
  store(cache, 7, 20);
  store(cache, 8, 0);  // known to gain nothing
  std::vector<std::int32_t> max(kRows, 0);
  CHECK(cache.contains(7) && cache.contains(8) && !cache.contains(9));
  CHECK(cache.gain(7, max.data()) == 200);
  CHECK(cache.gain(8, max.data()) == 0);
  for (std::size_t row = 0; row < 15; ++row) max[row] = row == 3 ? 4 : 10;
  CHECK(cache.gain(7, max.data()) == 6 + 5 * 10);
  max[0] = 0;  // never lower in truth: shows what is forgotten
  CHECK(cache.gain(7, max.data()) == 6 + 5 * 10);
  CHECK(cache.raise(7, max.data()) == 6 + 5 * 10);
  CHECK(max[3] == 10 && max[0] == 0 && max[19] == 10 && max[20] == 0);
  CHECK(cache.gain(7, max.data()) == 0);
  cache.erase(7);
  cache.erase(7);
  CHECK(!cache.contains(7) && cache.contains(8));
  cache.clear();
  CHECK(!cache.contains(8));
}

TEST(pairs_that_take_too_much_while_they_are_found_are_those_of_the_last_candidates) {
  constexpr std::size_t kCandidates = 8;
  const std::vector<Index> candidates{0, 1, 2, 3, 4, 5, 6, 7};
  FoundPairs found(1, kCandidates, 4 * 50 * sizeof(CandidatePair));
  for (std::uint32_t row = 0; row < 20; ++row) {
    for (std::size_t c = 0; c < kCandidates; ++c) found.add(0, c, {row, 1});
  }
  CHECK(found.kept() == 2);
  CHECK(found.count(0) == 20 && found.count(1) == 20 && found.count(2) == 0);
  CHECK(found.bytes() <= 4 * 50 * sizeof(CandidatePair));
  AliveCache cache(kRows, 1 << 20);
  cache.store(candidates, found);
  CHECK(cache.contains(1) && !cache.contains(2));
}

TEST(what_it_takes_stays_within_its_memory_and_dead_pairs_make_room) {
  const AliveCache table(kRows, 1 << 20);
  const std::size_t memory = table.bytes() + 2000;
  AliveCache cache(kRows, memory);
  std::vector<std::int32_t> max(kRows, 0);
  for (Index candidate = 0; candidate < 10; ++candidate) {
    store(cache, candidate, 29);  // 8 fit
    CHECK(cache.bytes() <= memory);
    CHECK(cache.contains(candidate) == (candidate < 8));
  }
  CHECK(cache.room(max.data(), 5) == 0);
  for (std::size_t row = 0; row < 20; ++row) max[row] = 10;
  CHECK(cache.room(max.data(), 6) == 0);  // not again so soon
  CHECK(cache.room(max.data(), 7) == 2000 - 8 * (9 * sizeof(CandidatePair) + 16));
  CHECK(cache.bytes() == table.bytes() + 8 * (9 * sizeof(CandidatePair) + 16));
  store(cache, 50, 90);
  CHECK(cache.contains(50));
  store(cache, 50, 1);  // in place of the other
  CHECK(cache.gain(50, std::vector<std::int32_t>(kRows, 0).data()) == 10);
  CHECK(cache.gain(7, max.data()) == 90);
  cache.clear();
  CHECK(cache.bytes() == table.bytes());
}

int main() { return check::run(); }
