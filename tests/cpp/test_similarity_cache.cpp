#include "check.h"
#include "cpu/similarity_cache.h"

using namespace qdit;
using cpu::SimilarityCache;

namespace {

constexpr Index kRows = 100;
constexpr std::size_t kRoomFor16 = 16 * kRows * sizeof(std::int32_t);

void store(SimilarityCache& cache, Index row) {
  cache.reserve(row)[0] = static_cast<std::int32_t>(row);
  cache.publish();
}

}  // namespace

TEST(too_little_memory_means_no_cache) {
  SimilarityCache none(kRows, kRoomFor16 - 1);
  CHECK(none.capacity() == 0);
  CHECK(!none.contains(3));
  CHECK(SimilarityCache(kRows, kRoomFor16).capacity() == 16);
  CHECK(SimilarityCache(4, 1 << 20).capacity() == 4);  // never more rows than there are
}

TEST(the_least_recently_used_row_goes_first) {
  SimilarityCache cache(kRows, kRoomFor16);
  for (Index row = 0; row < 16; ++row) store(cache, row);
  CHECK(cache.get(0)[0] == 0);  // 0 is in use again, so 1 is the oldest
  store(cache, 50);
  CHECK(cache.contains(0) && !cache.contains(1) && cache.contains(2));
  CHECK(cache.get(50)[0] == 50);
  cache.erase(7);
  CHECK(!cache.contains(7));
  store(cache, 51);  // takes the place of 7
  for (const Index row : {0, 2, 3, 4, 5, 6, 8, 50, 51}) CHECK(cache.contains(row));
}

TEST(work_that_is_abandoned_leaves_nothing_behind) {
  SimilarityCache cache(kRows, kRoomFor16);
  for (Index row = 0; row < 16; ++row) store(cache, row);
  cache.reserve(60)[0] = -1;  // evicts row 0, then the work is interrupted
  cache.abandon();
  CHECK(!cache.contains(0) && !cache.contains(60));
  store(cache, 61);
  CHECK(cache.get(61)[0] == 61);
  CHECK(!cache.contains(60));
}

int main() { return check::run(); }
