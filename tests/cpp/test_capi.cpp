// libqdit through its header alone, beside the engine: the same picks, refusals instead of exceptions.
#include <array>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "check.h"
#include "cpu/cpu_backend.h"
#include "engine/greedy.h"
#include "engine/objective.h"
#include "pools.h"
#include "qdit.h"

namespace {

constexpr int64_t kRows = 120;
constexpr int64_t kColumns = 8;
constexpr int64_t kPicks = 25;

const IntegerPool& pool() {
  static const IntegerPool shared(kRows, kColumns, 5);
  return shared;
}

std::vector<double> quality() {
  std::vector<double> values(kRows);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i * 7 % 11);
  return values;
}
const std::vector<double>& scores() {
  static const std::vector<double> shared = quality();
  return shared;
}

qdit_pool_options pool_options() {
  qdit_pool_options options{};
  options.size = sizeof options;
  options.rows = pool().values.data();
  options.n = kRows;
  options.d = kColumns;
  options.dtype = QDIT_FLOAT32;
  options.metric = QDIT_DOT;
  options.threads = 2;
  return options;
}

qdit_select_options select_options() {
  qdit_select_options options{};
  options.size = sizeof options;
  options.k = kPicks;
  options.alpha = 0.75;
  options.quality = scores().data();
  return options;
}

struct Pool {
  explicit Pool(const qdit_pool_options& options = pool_options()) {
    CHECK(qdit_pool_open(&options, &handle) == QDIT_OK);
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool() { CHECK(qdit_pool_close(handle) == QDIT_OK); }
  qdit_pool* handle = nullptr;
};

struct Picks {
  std::vector<int64_t> indices;
  std::vector<double> gains;
  qdit_status status;
  bool operator==(const Picks&) const = default;
};

Picks select(qdit_pool* handle, const qdit_select_options& options) {
  Picks picks{std::vector<int64_t>(kRows), std::vector<double>(kRows), QDIT_OK};
  int64_t count = -1;
  picks.status = qdit_select(handle, &options, picks.indices.data(), picks.gains.data(), &count);
  picks.indices.resize(static_cast<std::size_t>(count));
  picks.gains.resize(static_cast<std::size_t>(count));
  return picks;
}

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

void check_refused(qdit_status got, qdit_status status, const char* text) {
  CHECK(got == status);
  if (std::strstr(qdit_last_error(), text) == nullptr) {
    check::fail(__FILE__, __LINE__, std::string("another message: ") + qdit_last_error());
  }
}

int32_t stop_at_seven(const qdit_progress* progress, void* user) {
  ++*static_cast<int*>(user);
  return progress->picked >= 7 ? 1 : 0;
}

}  // namespace

TEST(the_version_is_that_of_the_header) {
  CHECK(std::string(qdit_version()) == QDIT_VERSION_STRING);
  CHECK(qdit_version_number() == QDIT_VERSION_NUMBER);
}

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

TEST(wrong_options_are_refused) {
  qdit_pool* none = nullptr;
  auto rows = pool_options();
  const auto opening = [&](auto change, const char* text) {
    rows = pool_options();
    change(rows);
    check_refused(qdit_pool_open(&rows, &none), QDIT_ERROR_ARGUMENT, text);
    CHECK(none == nullptr);
  };
  opening([](auto& o) { o.size = 8; }, "options: got size 8");
  opening([](auto& o) { o.rows = nullptr; }, "rows: got NULL");
  opening([](auto& o) { o.n = 0; }, "n: got 0");
  opening([](auto& o) { o.n = INT64_MAX; }, "more than memory can hold");
  opening([](auto& o) { o.dtype = 0; }, "dtype: got 0");
  opening([](auto& o) { o.metric = 2; }, "metric: got 2");
  opening([](auto& o) { o.threads = -1; }, "threads: got -1");
  opening([](auto& o) { o.simd = "mmx"; }, "simd: got \"mmx\"");
  opening([](auto& o) { o.rows = static_cast<const char*>(o.rows) + 1; }, "multiple of the 4 bytes");
  opening([](auto& o) { o.outside_n = 1; }, "outside_dtype: got 0");
  check_refused(qdit_pool_open(nullptr, &none), QDIT_ERROR_ARGUMENT, "options: got NULL");
  check_refused(qdit_pool_open(&rows, nullptr), QDIT_ERROR_ARGUMENT, "pool: got NULL");
  check_refused(qdit_coverage(nullptr, nullptr), QDIT_ERROR_ARGUMENT, "pool: got NULL");
  CHECK(qdit_pool_close(nullptr) == QDIT_OK);

  const Pool opened;
  const auto selecting = [&](auto change, const char* text) {
    auto options = select_options();
    change(options);
    const auto got = select(opened.handle, options);
    check_refused(got.status, QDIT_ERROR_ARGUMENT, text);
    CHECK(got.indices.empty());
  };
  auto bad = scores();
  bad[9] = std::numeric_limits<double>::quiet_NaN();
  const int64_t outside = kRows;
  selecting([](auto& o) { o.k = 0; }, "k: got 0");
  selecting([](auto& o) { o.k = kRows + 1; }, "k: got 121, wanted at most the 120");
  selecting([](auto& o) { o.alpha = 1.5; }, "alpha: got 1.5");
  selecting([](auto& o) { o.method = 4; }, "method: got 4");
  selecting([](auto& o) { o.quality = nullptr; }, "quality: got NULL");
  selecting([&](auto& o) { o.quality = bad.data(); }, "quality: row 9 is");
  selecting(
      [&](auto& o) {
        o.given = &outside;
        o.given_count = 1;
      },
      "given: position 0 is row 120");
  selecting([](auto& o) { o.given_count = 1; }, "given: got NULL");
  selecting(
      [&](auto& o) {
        o.resume = &outside;
        o.resume_count = 1;
      },
      "resume: position 0 is row 120");
  selecting([](auto& o) { o.budget = 1.0; }, "costs: got NULL");
  selecting([&](auto& o) { o.quotas = &outside; }, "groups and quotas");
  double gain = 0.0;
  check_refused(qdit_gains(opened.handle, &outside, 1, &gain), QDIT_ERROR_ARGUMENT, "candidates: position 0");
  check_refused(qdit_commit(opened.handle, nullptr, 2, nullptr), QDIT_ERROR_ARGUMENT, "rows: got NULL");
}

TEST(rows_of_zeros_take_no_part_where_asked) {
  std::vector<float> rows(12, 1.0f);
  rows[4] = rows[5] = 0.0f;
  auto options = pool_options();
  options.rows = rows.data();
  options.n = 6;
  options.d = 2;
  options.metric = QDIT_COSINE;
  qdit_pool* none = nullptr;
  check_refused(qdit_pool_open(&options, &none), QDIT_ERROR_ARGUMENT, "rows: row 2 is all zeros");
  options.zero_rows = QDIT_ZERO_ROWS_IGNORE;
  const Pool opened(options);
  qdit_pool_info info{};
  info.size = sizeof info;
  CHECK(qdit_pool_get_info(opened.handle, &info) == QDIT_OK);
  CHECK(info.n == 6 && info.d == 2 && info.ignored_count == 1 && info.ignored[0] == 2 && info.threads == 2);
  check_refused(qdit_commit(opened.handle, info.ignored, 1, nullptr), QDIT_ERROR_ARGUMENT,
                "row 2 is all zeros");
}

TEST(options_of_other_versions_of_the_header) {
  struct {
    qdit_select_options known;
    int64_t newer;
  } options{select_options(), 0};
  options.known.size = sizeof options;
  const Pool opened;
  CHECK(select(opened.handle, options.known).status == QDIT_OK);
  options.newer = 1;
  check_refused(select(opened.handle, options.known).status, QDIT_ERROR_ARGUMENT, "is of a newer qdit.h");
}

TEST(a_pool_serves_one_call_at_a_time) {
  struct Nested {
    qdit_pool* pool;
    qdit_status select = QDIT_OK;
    qdit_status close = QDIT_OK;
  };
  const Pool opened;
  Nested nested{opened.handle};
  auto options = select_options();
  options.user = &nested;
  options.progress = [](const qdit_progress*, void* user) -> int32_t {
    auto& here = *static_cast<Nested*>(user);
    int64_t row = 0;
    int64_t count = 0;
    const auto again = select_options();
    here.select = qdit_select(here.pool, &again, &row, nullptr, &count);
    here.close = qdit_pool_close(here.pool);
    return 0;
  };
  CHECK(select(opened.handle, options).status == QDIT_OK);
  CHECK(nested.select == QDIT_ERROR_STATE && nested.close == QDIT_ERROR_STATE);
}

TEST(pools_and_messages_belong_to_threads) {
  check_refused(qdit_reset(nullptr, nullptr, 0), QDIT_ERROR_ARGUMENT, "pool: got NULL");
  Picks elsewhere;
  std::string message = "?";
  std::thread other([&] {
    message = qdit_last_error();
    const Pool mine;
    elsewhere = select(mine.handle, select_options());
  });
  const Pool opened;
  const auto here = select(opened.handle, select_options());
  other.join();
  CHECK(message.empty() && elsewhere == here && here.status == QDIT_OK);
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
