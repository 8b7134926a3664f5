// The passes over all pairs by every kind of emulated kernel, alone: gains, counts and lists of the
// definition.
#include <algorithm>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "check.h"
#include "cuda/device.h"
#include "cuda/kernels/half.h"
#include "cuda/kernels/kernels.h"
#include "pools.h"

using namespace qdit;
using namespace qdit::cuda;

namespace {

constexpr Arithmetic kAll[] = {{Precision::kHalf, Kernels::kMma},
                               {Precision::kSplit, Kernels::kMma},
                               {Precision::kHalf, Kernels::kWgmma},
                               {Precision::kSplit, Kernels::kWgmma}};

template <class T>
class OnDevice {
 public:
  OnDevice(Device& device, const Stream& stream, const std::vector<T>& values)
      : stream_(stream), buffer_(device, std::ssize(values)) {
    stream.upload(std::span<const T>(values), buffer_.data());
  }
  T* data() const { return buffer_.data(); }
  std::vector<T> values() const {
    std::vector<T> out(static_cast<std::size_t>(buffer_.size()));
    stream_.download(static_cast<const T*>(buffer_.data()), std::span(out));
    return out;
  }

 private:
  const Stream& stream_;
  Buffer<T> buffer_;
};

// Rows of integers, whose low planes are not zero either, with a maximum and a threshold for each.
struct Rows {
  Rows(Device& device, const Stream& stream, std::int32_t rows, std::int32_t items, std::int32_t begin_,
       unsigned seed)
      : n(rows), d(items), begin(begin_), pool(rows, 2 * items, seed) {
    for (Index v = 0; v < n; ++v) {
      for (Index k = 0; k < d; ++k) {
        high.push_back(float_to_half(static_cast<float>(item(v, k))));
        low.push_back(float_to_half(static_cast<float>(low_item(v, k)) * kLowScale));
      }
      max.push_back(static_cast<std::int32_t>(v * 37 % 61) - 20);
      // Every pair, some, a few, none.
      const std::int32_t from[] = {-10000, 5, 60, kNoList};
      threshold.push_back(v % 7 == 3 ? from[v / 7 % 4] : 60);
    }
    parts.emplace_back(OnDevice<std::uint16_t>(device, stream, high));
    parts.emplace_back(OnDevice<std::uint16_t>(device, stream, low));
    ones.emplace_back(device, stream, std::vector<float>(static_cast<std::size_t>(n), 1.0f));
    limits.emplace_back(device, stream, max);
    limits.emplace_back(device, stream, threshold);
  }
  int item(Index v, Index k) const { return static_cast<int>(pool.values[at(v, k)]); }
  int low_item(Index v, Index k) const { return static_cast<int>(pool.values[at(v, d + k)]) % 2; }
  std::size_t at(Index v, Index k) const { return static_cast<std::size_t>(v * 2 * d + k); }

  std::int32_t similarity(const Arithmetic& how, Index v, const Rows& other, Index w) const {
    std::int32_t sum = 0;
    for (Index k = 0; k < d; ++k) {
      sum += item(v, k) * other.item(w, k);
      if (how.precision == Precision::kHalf) continue;
      sum += item(v, k) * other.low_item(w, k) + low_item(v, k) * other.item(w, k);
    }
    return sum;
  }
  PassSide side() const {
    PassSide out;
    out.rows = {parts[0].data(), parts[1].data(), ones[0].data(), nullptr, n, d, d};
    out.begin = begin;
    out.max = limits[0].data();
    out.threshold = limits[1].data();
    return out;
  }

  std::int32_t n;
  std::int32_t d;
  std::int32_t begin;
  IntegerPool pool;
  std::vector<std::uint16_t> high, low;
  std::vector<std::int32_t> max, threshold;
  std::vector<OnDevice<std::uint16_t>> parts;
  std::vector<OnDevice<float>> ones;
  std::vector<OnDevice<std::int32_t>> limits;
};

struct Wanted {
  std::vector<Sum> gains;
  std::vector<std::uint32_t> counts;
  std::vector<std::map<std::uint32_t, std::int32_t>> lists;  // by row: candidate and similarity
};

Wanted definition(const Arithmetic& how, const Rows& rows, const Rows& others) {
  Wanted out;
  for (Index v = 0; v < rows.n; ++v) {
    Sum gain = 0;
    std::map<std::uint32_t, std::int32_t> list;
    for (Index w = 0; w < others.n; ++w) {
      const std::int32_t sim = rows.similarity(how, v, others, w);
      gain += relu_difference(sim, others.max[static_cast<std::size_t>(w)]);
      if (sim > rows.threshold[static_cast<std::size_t>(v)]) {
        list[static_cast<std::uint32_t>(others.begin + w)] = sim;
      }
    }
    out.gains.push_back(gain);
    out.counts.push_back(static_cast<std::uint32_t>(list.size()));
    out.lists.push_back(std::move(list));
  }
  return out;
}

// What a pass has found of the rows of one side.
struct Side {
  Side(Device& device, const Stream& stream, const Rows& rows)
      : gains(device, stream, std::vector<Sum>(static_cast<std::size_t>(rows.n), 0)),
        counts(device, stream, std::vector<std::uint32_t>(static_cast<std::size_t>(rows.n), 0)) {}
  OnDevice<Sum> gains;
  OnDevice<std::uint32_t> counts;
};

// Passes over the pairs of `rows` and `others`, which may be the same, against the definition.
void check_passes(const Arithmetic& how, const Rows& rows, const Rows& others, Device& device,
                  const Stream& stream) {
  const bool symmetric = &rows == &others;
  const std::int64_t tile = tile_rows(how);
  const TileMap map{static_cast<std::int32_t>(divide_up(rows.n, tile)),
                    static_cast<std::int32_t>(divide_up(others.n, tile)), symmetric};
  const std::int64_t all = map.squares() * kSquare * kSquare;
  PassSide side = rows.side();
  PassSide other = others.side();
  const Wanted wanted = definition(how, rows, others);
  const Wanted other_wanted = definition(how, others, rows);
  const auto pass = [&](bool counted) {
    const Side down(device, stream, rows);
    const Side across(device, stream, others);
    side.gains = down.gains.data();
    other.gains = symmetric ? side.gains : across.gains.data();
    side.counts = counted ? down.counts.data() : nullptr;
    other.counts = !counted ? nullptr : symmetric ? side.counts : across.counts.data();
    launch_pass(how, {side, other, map}, 0, all / 2, stream.get());
    launch_pass(how, {side, other, map}, all / 2, all - all / 2, stream.get());
    CHECK(down.gains.values() == wanted.gains);
    CHECK(down.counts.values() ==
          (counted ? wanted.counts : std::vector<std::uint32_t>(wanted.counts.size(), 0)));
    if (symmetric) return;
    CHECK(across.gains.values() == other_wanted.gains);
    CHECK(!counted || across.counts.values() == other_wanted.counts);
  };
  pass(true);
  pass(false);

  std::vector<std::int64_t> begin;
  std::int64_t pairs = 0;
  for (const Wanted* one : {&wanted, &other_wanted}) {
    for (const std::uint32_t count : one->counts) {
      begin.push_back(pairs);
      pairs += count;
    }
    if (symmetric) break;
  }
  const OnDevice<std::int64_t> begins(device, stream, begin);
  const OnDevice<Pair> lists(device, stream, std::vector<Pair>(static_cast<std::size_t>(pairs)));
  const Side down(device, stream, rows);
  const Side across(device, stream, others);
  side.counts = down.counts.data();
  side.list_begin = begins.data();
  other.counts = symmetric ? side.counts : across.counts.data();
  other.list_begin = symmetric ? side.list_begin : side.list_begin + rows.n;
  const std::uint64_t before = emulated_atomics;
  launch_fill(how, {side, other, map}, lists.data(), 0, all, stream.get());
  stream.wait();
  // One for each row and each column of a tile at most, however many pairs there are.
  const std::int64_t tiles =
      symmetric ? std::int64_t{map.rows} * (map.rows + 1) / 2 : std::int64_t{map.rows} * map.columns;
  CHECK(emulated_atomics - before <= static_cast<std::uint64_t>(2 * tiles * tile));
  const std::vector<Pair> found = lists.values();
  std::size_t list = 0;
  for (const auto* one : {&wanted, &other_wanted}) {
    for (const auto& want : one->lists) {
      std::map<std::uint32_t, std::int32_t> got;
      for (std::size_t i = 0; i < want.size(); ++i) {
        const Pair& pair = found[static_cast<std::size_t>(begin[list]) + i];
        got[pair.id] = pair.sim;
      }
      CHECK(got == want);
      ++list;
    }
    if (symmetric) break;
  }
}

}  // namespace

TEST(passes_find_what_the_definition_says) {
  Device device(0);
  const Stream stream(device);
  for (const auto& [n, d] : {std::pair{1, 8}, {64, 64}, {193, 72}, {260, 200}}) {
    const Rows rows(device, stream, n, d, 0, static_cast<unsigned>(n));
    for (const Arithmetic& how : kAll) check_passes(how, rows, rows, device, stream);
  }
}

TEST(two_chunks_list_each_other) {
  Device device(0);
  const Stream stream(device);
  const Rows rows(device, stream, 150, 40, 1000, 5);
  const Rows others(device, stream, 77, 40, 3000, 6);
  for (const Arithmetic& how : kAll) check_passes(how, rows, others, device, stream);
}

int main() { return check::run(); }
