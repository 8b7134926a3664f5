// A pool cut into parts says, in sum, what the whole pool says.
#include <algorithm>
#include <memory>
#include <numeric>
#include <stdexcept>

#include "check.h"
#include "cpu/cpu_backend.h"
#include "engine/shard.h"
#include "engine/shard_picks.h"
#include "pools.h"
#include "reference/reference_backend.h"

using namespace qdit;

namespace {

RowView part_of(const RowView& rows, Index begin, Index end) {
  RowView part = rows;
  part.data = rows.row(begin);
  part.n = end - begin;
  return part;
}

std::unique_ptr<Backend> make(const RowView& rows, bool reference, double range, int threads) {
  PoolOptions options;
  options.rows = rows;
  options.metric = Metric::kDot;
  options.range = range;
  options.threads = threads;
  auto backend =
      reference ? make_reference_backend(std::move(options)) : make_cpu_backend(std::move(options));
  backend->reset({});
  return backend;
}

std::vector<Index> count_to(Index n) {
  std::vector<Index> numbers(static_cast<std::size_t>(n));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

struct Cut {
  Cut(const IntegerPool& data, const std::vector<Index>& edges, bool reference, int threads)
      : rows(data.view()), whole(make(rows, reference, 0.0, threads)) {
    for (std::size_t i = 0; i + 1 < edges.size(); ++i) {
      views.push_back(part_of(rows, edges[i], edges[i + 1]));
      parts.push_back(make(views.back(), reference, whole->range(), threads));
    }
  }

  RowView rows;
  std::unique_ptr<Backend> whole;
  std::vector<RowView> views;
  std::vector<std::unique_ptr<Backend>> parts;
};

std::vector<Fixed> whole_gains(Backend& whole) {
  std::vector<Fixed> gains(static_cast<std::size_t>(whole.size()));
  whole.gains(count_to(whole.size()), gains);
  return gains;
}

const Shard::Tick kSilent = [](double) {};

}  // namespace

TEST(gains_and_increases_add_up) {
  for (const bool reference : {false, true}) {
    const IntegerPool data(70, 5, 3);
    Cut cut(data, {0, 1, 30, 70}, reference, 2);
    const RowView first = part_of(cut.rows, 12, 13);
    std::vector<Fixed> increase(1);
    const Index pick = 12;
    cut.whole->commit({&pick, 1}, increase);
    Fixed sum = 0;
    for (auto& part : cut.parts) {
      std::vector<Fixed> own(1);
      part->shard()->commit(first, own);
      sum += own[0];
      CHECK(part->scale() == cut.whole->scale());
    }
    CHECK(sum == increase[0]);
    std::vector<Fixed> total(70, 0);
    for (auto& part : cut.parts) {
      std::vector<Fixed> own(70);
      part->shard()->gains(cut.rows, own);
      for (std::size_t c = 0; c < total.size(); ++c) total[c] += own[c];
    }
    CHECK(total == whole_gains(*cut.whole));
  }
}

TEST(the_sum_of_all_rows_goes_from_part_to_part) {
  const IntegerPool data(2100, 3, 5);
  for (const auto& edges : std::vector<std::vector<Index>>{{0, 2100}, {0, 1024, 2100}, {0, 7, 1030, 2100}}) {
    Cut cut(data, edges, false, 3);
    std::vector<double> total(3, 0.0);
    std::vector<double> open(3, 0.0);
    for (std::size_t i = 0; i < cut.parts.size(); ++i) cut.parts[i]->shard()->sum_rows(edges[i], total, open);
    for (std::size_t k = 0; k < total.size(); ++k) total[k] += open[k];
    std::vector<Fixed> gains;
    for (auto& part : cut.parts) {
      std::vector<Fixed> own(static_cast<std::size_t>(part->size()));
      part->shard()->first_gains(total, own);
      gains.insert(gains.end(), own.begin(), own.end());
    }
    CHECK(gains == whole_gains(*cut.whole));
  }
}

TEST(listed_gains_stay_bounds_and_pairs_make_them_exact) {
  for (const std::size_t memory : {std::size_t{0}, std::size_t{20000}, std::size_t{1} << 24}) {
    for (const int threads : {1, 3}) {
      const IntegerPool data(1300, 6, 9);
      const std::vector<Index> edges{0, 500, 1300};
      Cut cut(data, edges, false, threads);
      const RowView first = part_of(cut.rows, 0, 1);
      std::vector<Fixed> unused(1);
      const Index zero = 0;
      cut.whole->commit({&zero, 1}, unused);
      std::vector<std::vector<Fixed>> gains(2, std::vector<Fixed>(1300, 0));
      for (std::size_t i = 0; i < 2; ++i) {
        Shard& shard = *cut.parts[i]->shard();
        shard.commit(first, unused);
        shard.open(gains[i], i == 0 ? 0 : -1, memory, kSilent);
        if (i == 0) shard.list(cut.views[1], 500, kSilent);
        if (i == 1) shard.list(cut.rows, 0, kSilent);
        shard.start();
      }
      auto sum = gains[0];
      for (std::size_t c = 0; c < sum.size(); ++c) sum[c] += gains[1][c];
      CHECK(sum == whole_gains(*cut.whole));
      for (Index pick = 1; pick < 60; ++pick) {
        const RowView row = part_of(cut.rows, pick, pick + 1);
        const Numbered one{{&pick, 1}, &row};
        Fixed raised = 0;
        std::vector<PairTable> tables;
        for (auto& part : cut.parts) {
          tables.push_back(part->shard()->pairs(one));
          std::vector<Fixed> own(1);
          part->shard()->commit(one, own);
          raised += own[0];
          CHECK(own[0] == std::accumulate(tables.back().rises.begin(), tables.back().rises.end(), Fixed{0}));
        }
        cut.whole->commit({&pick, 1}, unused);
        CHECK(raised == unused[0]);
      }
      const auto exact = whole_gains(*cut.whole);
      bool bounds = true;
      for (std::size_t c = 0; c < exact.size(); ++c) bounds = bounds && gains[0][c] + gains[1][c] >= exact[c];
      CHECK(bounds);
    }
  }
}

TEST(picks_among_candidates_end_before_a_rival) {
  const std::vector<std::int64_t> offsets{0, 2, 3, 4};
  const std::vector<std::uint32_t> rows{0, 1, 1, 5};
  const std::vector<std::int32_t> rises{10, 4, 9, 7};
  const PairView pairs{offsets, rows, rises};
  const std::vector<Index> numbers{3, 5, 8};
  const std::vector<double> bonus(3, 0.0);
  const Scorer scorer(1.0, bonus);
  const auto all = pick_among({&pairs, 1}, numbers, scorer, 3, {});
  CHECK((all.picks == std::vector<Index>{0, 2, 1}));
  CHECK((all.gains == std::vector<Fixed>{14, 7, 5}));
  CHECK(pick_among({&pairs, 1}, numbers, scorer, 3, {7.0, 4}).picks.size() == 1);
  CHECK(pick_among({&pairs, 1}, numbers, scorer, 3, {7.0, 9}).picks.size() == 2);
  const PairView torn{std::span(offsets).first(3), rows, rises};
  CHECK_THROWS(pick_among({&torn, 1}, numbers, scorer, 3, {}), std::invalid_argument, "offsets");
}

TEST(what_comes_too_early_is_refused) {
  const IntegerPool data(40, 4, 1);
  Cut cut(data, {0, 40}, false, 1);
  Shard& shard = *cut.parts[0]->shard();
  std::vector<Fixed> gains(40);
  CHECK_THROWS(shard.gains(cut.rows, gains), std::logic_error, "nothing is chosen");
  CHECK_THROWS(shard.open(gains, 0, 0, kSilent), std::logic_error, "nothing is chosen");
  CHECK_THROWS(shard.start(), std::logic_error, "open() first");
  Cut other(data, {0, 40}, true, 1);
  CHECK_THROWS(other.parts[0]->shard()->start(), std::logic_error, "keeps no pairs");
}

int main() { return check::run(); }
