#include <algorithm>
#include <set>

#include "check.h"
#include "engine/sampler.h"

using namespace qdit;

namespace {

std::vector<Index> draw(std::uint64_t seed, std::uint64_t step, const std::vector<std::uint8_t>& taken,
                        Index count) {
  std::vector<std::uint8_t> marks(taken.size(), 0);
  const auto free = std::count(taken.begin(), taken.end(), std::uint8_t{0});
  auto sample = sample_candidates(seed, step, taken, free, count, marks);
  CHECK(std::all_of(marks.begin(), marks.end(), [](auto m) { return m == 0; }));
  return sample;
}

}  // namespace

TEST(sample_size_is_that_of_the_paper) {
  CHECK(stochastic_sample_size(1000, 10, 0.01) == 461);  // 100 * 4.605 = 460.5
  CHECK(stochastic_sample_size(1000, 1000, 0.5) == 1);   // 0.69
  CHECK(stochastic_sample_size(1000, 1, 1e-9) == 1000);  // never more than there are
}

TEST(samples_are_distinct_free_and_ascending) {
  std::vector<std::uint8_t> taken(300, 0);
  for (std::size_t i = 0; i < taken.size(); i += 3) taken[i] = 1;
  for (Index count = 0; count <= 210; ++count) {
    const auto sample = draw(1, 2, taken, count);
    CHECK(static_cast<Index>(sample.size()) == std::min<Index>(count, 200));
    CHECK(std::is_sorted(sample.begin(), sample.end()));
    CHECK(std::set<Index>(sample.begin(), sample.end()).size() == sample.size());
    for (const Index row : sample) CHECK(taken[static_cast<std::size_t>(row)] == 0);
  }
}

TEST(samples_follow_from_seed_and_step_alone) {
  const std::vector<std::uint8_t> taken(1000, 0);
  CHECK(draw(3, 4, taken, 20) == draw(3, 4, taken, 20));
  CHECK(draw(3, 4, taken, 20) != draw(3, 5, taken, 20));
  CHECK(draw(3, 4, taken, 20) != draw(4, 4, taken, 20));
}

TEST(every_row_is_drawn_about_equally_often) {
  const std::vector<std::uint8_t> taken(50, 0);
  std::vector<int> hits(50, 0);
  for (std::uint64_t step = 0; step < 5000; ++step) {
    for (const Index row : draw(11, step, taken, 10)) ++hits[static_cast<std::size_t>(row)];
  }
  // 1000 each, standard deviation 28: six of them
  for (const int h : hits) CHECK(h > 830 && h < 1170);
}

int main() { return check::run(); }
