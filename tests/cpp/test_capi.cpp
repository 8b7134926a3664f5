// Picks of libqdit beside those of the engine: the same, from C++ and from the example in C.
#include <array>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "capi.h"
#include "check.h"
#include "cpu/cpu_backend.h"
#include "engine/greedy.h"
#include "engine/objective.h"

namespace {

class Silent final : public qdit::Observer {
 public:
  void tick(const qdit::GreedyResult& /*so_far*/, bool /*finished*/) override {}
};

// What the engine itself picks.
Picks wanted(qdit::Method method, double alpha, const std::vector<int64_t>& given = {}) {
  const auto backend = qdit::make_cpu_backend(pool().options());
  std::vector<double> bonus;
  for (const double q : scores()) bonus.push_back(qdit::quality_bonus(alpha, q));
  std::vector<qdit::Fixed> bounds(kRows, qdit::kUnknownBound);
  qdit::GreedyOptions options;
  options.method = method;
  options.k = kPicks;
  options.weight = qdit::gain_weight(alpha, qdit::GainScale::kSum, kPicks, kRows) / backend->scale();
  options.bonus = bonus;
  options.bounds = bounds;
  options.excluded = given;
  options.memory = 1 << 20;
  backend->reset(given);
  Silent silent;
  const auto result = run_greedy(*backend, options, silent);
  Picks picks{result.picks, {}, QDIT_OK};
  for (const auto gain : result.gains) {
    picks.gains.push_back(static_cast<double>(gain) / backend->scale());
  }
  return picks;
}

int32_t stop_at_seven(const qdit_progress* progress, void* user) {
  ++*static_cast<int*>(user);
  return progress->picked >= 7 ? 1 : 0;
}

}  // namespace

TEST(every_method_picks_what_the_engine_picks) {
  const Pool opened;
  for (const double alpha : {0.0, 0.75}) {
    const std::array<qdit::Method, 4> methods{qdit::Method::kExact, qdit::Method::kLazy, qdit::Method::kNaive,
                                              qdit::Method::kStochastic};
    for (std::size_t i = 0; i < methods.size(); ++i) {
      auto options = select_options();
      options.method = static_cast<int32_t>(i);
      options.alpha = alpha;
      CHECK(select(opened.handle, options) == wanted(methods.at(i), alpha));
    }
  }
}

TEST(given_rows_cover_and_are_not_picked) {
  const Pool opened;
  const std::vector<int64_t> given{3, 50, 51};
  auto options = select_options();
  options.given = given.data();
  options.given_count = 3;
  CHECK(select(opened.handle, options) == wanted(qdit::Method::kExact, options.alpha, given));
}

TEST(quality_alone_takes_the_best_scores_first_rows_first) {
  const Pool opened;
  auto options = select_options();
  options.alpha = 1.0;
  const auto got = select(opened.handle, options);
  CHECK(got.status == QDIT_OK && got.indices.size() == kPicks);
  CHECK(got == wanted(qdit::Method::kNaive, 1.0));
}

TEST(the_pool_is_left_with_the_picks_chosen) {
  const Pool opened;
  const auto picks = select(opened.handle, select_options());
  double sum = 0.0;
  for (const double gain : picks.gains) sum += gain;
  double coverage = 0.0;
  CHECK(qdit_coverage(opened.handle, &coverage) == QDIT_OK);
  CHECK(coverage == sum / kRows);
  std::vector<double> rows(kRows);
  CHECK(qdit_row_coverage(opened.handle, rows.data()) == QDIT_OK);
  double total = 0.0;
  for (const double row : rows) total += row;
  CHECK(total == sum);
  double gain = -1.0;
  CHECK(qdit_gains(opened.handle, &picks.indices[4], 1, &gain) == QDIT_OK);
  CHECK(gain == 0.0);

  // the same by hand
  std::vector<double> increases(picks.indices.size());
  CHECK(qdit_reset(opened.handle, nullptr, 0) == QDIT_OK);
  CHECK(qdit_coverage(opened.handle, &coverage) == QDIT_OK && coverage == 0.0);
  CHECK(qdit_gains(opened.handle, picks.indices.data(), 1, &gain) == QDIT_OK && gain == picks.gains[0]);
  CHECK(qdit_commit(opened.handle, picks.indices.data(), kPicks, increases.data()) == QDIT_OK);
  CHECK(increases == picks.gains);
}

TEST(a_cancelled_selection_goes_on) {
  const Pool opened;
  const auto whole = select(opened.handle, select_options());
  int calls = 0;
  auto options = select_options();
  options.progress = stop_at_seven;
  options.user = &calls;
  options.interval = 1e-9;
  const auto part = select(opened.handle, options);
  check_refused(part.status, QDIT_CANCELLED, "ended the call");
  CHECK(part.indices.size() == 7 && calls > 1);
  CHECK(std::equal(part.indices.begin(), part.indices.end(), whole.indices.begin()));
  options.progress = nullptr;
  options.resume = part.indices.data();
  options.resume_count = 7;
  CHECK(select(opened.handle, options) == whole);
}

TEST(quotas_and_budgets_hold) {
  const Pool opened;
  std::vector<int64_t> groups(kRows);
  std::vector<double> costs(kRows);
  for (std::size_t i = 0; i < groups.size(); ++i) {
    groups[i] = static_cast<int64_t>(i % 3);
    costs[i] = static_cast<double>(1 + i % 4);
  }
  const std::array<int64_t, 3> quotas{5, 0, 20};
  auto options = select_options();
  options.groups = groups.data();
  options.quotas = quotas.data();
  options.group_count = 3;
  std::array<int64_t, 3> taken{};
  for (const auto row : select(opened.handle, options).indices) ++taken.at(static_cast<std::size_t>(row % 3));
  CHECK(taken == quotas);

  options = select_options();
  options.costs = costs.data();
  options.budget = 12.5;
  options.k = kRows;
  const auto picks = select(opened.handle, options);
  double spent = 0.0;
  for (const auto row : picks.indices) spent += costs[static_cast<std::size_t>(row)];
  CHECK(picks.status == QDIT_OK && !picks.indices.empty() && spent <= 12.5);
}

#ifdef QDIT_C_EXAMPLE
namespace {

template <class T>
void write_npy(const std::string& path, const char* type, const std::string& shape,
               const std::vector<T>& items) {
  std::string header =
      std::string("{'descr': '") + type + "', 'fortran_order': False, 'shape': (" + shape + "), }";
  header.resize((header.size() + 11 + 63) / 64 * 64 - 11, ' ');
  header += '\n';
  std::ofstream file(path, std::ios::binary);
  file.write("\x93NUMPY\x01\x00", 8);
  file.put(static_cast<char>(header.size() & 0xff)).put(static_cast<char>(header.size() >> 8));
  file << header;
  file.write(reinterpret_cast<const char*>(items.data()),
             static_cast<std::streamsize>(items.size() * sizeof(T)));
}

Picks run_example(const std::string& arguments) {
  Picks picks{};
  std::FILE* out = popen((std::string(QDIT_C_EXAMPLE) + " " + arguments).c_str(), "r");
  if (out == nullptr) return picks;
  long long row = 0;
  double gain = 0.0;
  while (std::fscanf(out, "%lld %lf", &row, &gain) == 2) {
    picks.indices.push_back(row);
    picks.gains.push_back(gain);
  }
  picks.status = pclose(out);
  return picks;
}

}  // namespace

TEST(the_example_in_c_prints_the_same_picks) {
  const std::string folder = QDIT_TEST_DIR;
  write_npy(folder + "/capi_rows.npy", "<f4", "120, 8", pool().values);
  write_npy(folder + "/capi_quality.npy", "<f8", "120,", scores());
  auto options = pool_options();
  options.metric = QDIT_COSINE;
  const Pool opened(options);
  auto wanted = select_options();
  wanted.method = QDIT_NAIVE;
  const auto picks = select(opened.handle, wanted);
  CHECK(picks.indices.size() == kPicks);
  for (const std::string method : {"exact", "lazy", "naive"}) {
    const std::string files = folder + "/capi_rows.npy " + folder + "/capi_quality.npy";
    CHECK(run_example("25 0.75 " + method + " " + files) == picks);
  }
  CHECK(run_example("5 0.7 exact").indices.size() == 5);
  CHECK(run_example("5 0.7 greedy 2>&1").status != 0);
}
#endif

int main() { return check::run(); }
