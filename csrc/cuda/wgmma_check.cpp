#include "cuda/wgmma_check.h"

#include <mutex>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "cuda/kernels/half.h"
#include "cuda/kernels/kernels.h"

namespace qdit::cuda {
namespace {

// More slabs than the pipeline has stages, the last one short.
constexpr std::int32_t kDepth = 5 * kSlab + 24;
constexpr std::int32_t kOver = 11;  // rows past a whole number of tiles

std::size_t at(std::int64_t row, std::int64_t k, std::int64_t width) {
  return static_cast<std::size_t>(row * width + k);
}

// 0 .. 255, the same on every machine.
class Numbers {
 public:
  explicit Numbers(unsigned seed) : state_(seed) {}
  int next() {
    state_ = state_ * 1664525u + 1013904223u;
    return static_cast<int>(state_ >> 24);
  }

 private:
  unsigned state_;
};

// Integers so small that every sum of their products is exact. The product of two low parts is left out of
// split products, so both parts are kept apart.
struct IntegerRows {
  std::int32_t count;
  std::vector<std::uint16_t> high;
  std::vector<std::uint16_t> low;
  std::vector<int> high_values;
  std::vector<int> low_values;

  IntegerRows(Precision precision, std::int32_t rows, unsigned seed) : count(rows) {
    Numbers numbers(seed);
    const std::size_t items = at(rows, 0, kDepth);
    for (std::size_t i = 0; i < items; ++i) {
      high_values.push_back(numbers.next() % 7 - 3);
      low_values.push_back(precision == Precision::kSplit ? numbers.next() % 3 - 1 : 0);
      high.push_back(float_to_half(static_cast<float>(high_values.back())));
      low.push_back(float_to_half(static_cast<float>(low_values.back()) * kLowScale));
    }
  }
  int dot(std::int32_t row, const IntegerRows& other, std::int32_t column) const {
    int sum = 0;
    for (std::int32_t k = 0; k < kDepth; ++k) {
      const std::size_t a = at(row, k, kDepth);
      const std::size_t b = at(column, k, kDepth);
      sum += high_values[a] * (other.high_values[b] + other.low_values[b]);
      sum += low_values[a] * other.high_values[b];
    }
    return sum;
  }
};

template <class T>
Buffer<T> on_device(Device& device, const Stream& stream, const std::vector<T>& values) {
  Buffer<T> buffer(device, std::ssize(values));
  stream.upload(std::span<const T>(values), buffer.data());
  return buffer;
}

struct Uploaded {
  Uploaded(Device& device, const Stream& stream, const IntegerRows& rows)
      : high(on_device(device, stream, rows.high)),
        low(on_device(device, stream, rows.low)),
        ones(on_device(device, stream, std::vector<float>(at(rows.count, 0, 1), 1.0f))),
        operand{high.data(), low.data(), ones.data(), nullptr, rows.count, kDepth, kDepth} {}
  Buffer<std::uint16_t> high;
  Buffer<std::uint16_t> low;
  Buffer<float> ones;
  Operand operand;
};

std::string similarities_fault(Device& device, const Stream& stream, Precision precision) {
  const Arithmetic how{precision, Kernels::kWgmma};
  const std::int32_t n = static_cast<std::int32_t>(tile_rows(how)) + kOver;
  const IntegerRows a(precision, n, 1);
  const IntegerRows b(precision, n, 2);
  const Uploaded rows(device, stream, a);
  const Uploaded columns(device, stream, b);
  const Buffer<std::int32_t> found(device, std::int64_t{n} * n);
  launch_similarities(how, rows.operand, columns.operand, found.data(), n, stream.get());
  std::vector<std::int32_t> got(at(n, 0, n));
  stream.download(found.data(), std::span(got));
  for (std::int32_t i = 0; i < n; ++i) {
    for (std::int32_t j = 0; j < n; ++j) {
      const int wanted = a.dot(i, b, j);
      const int value = got[at(i, j, n)];
      if (value == wanted) continue;
      return "wgmma multiplies wrongly here: row " + std::to_string(i) + " times row " + std::to_string(j) +
             " of integers gave " + std::to_string(value) + ", wanted " + std::to_string(wanted);
    }
  }
  return "";
}

// Tiles along a side of a symmetric pass, so many that a block has two and more to walk.
std::int32_t tiles_along(const Device& device) {
  int multiprocessors = 0;
  QDIT_CUDA_CHECK(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device.index()));
  constexpr int kMostBlocks = 2;  // of a multiprocessor
  std::int32_t tiles = 1;
  while (tiles * (tiles + 1) / 2 <= kMostBlocks * multiprocessors) ++tiles;
  return tiles;
}

struct PassResult {
  std::vector<Sum> gains;
  std::vector<std::uint32_t> counts;
};

PassResult run_pass(Device& device, const Stream& stream, const Arithmetic& how, PassSide side) {
  const std::int32_t n = side.rows.count;
  const Buffer<Sum> gains(device, n);
  const Buffer<std::uint32_t> counts(device, n);
  stream.zero(gains.data(), n);
  stream.zero(counts.data(), n);
  side.gains = gains.data();
  side.counts = counts.data();
  const auto tiles = static_cast<std::int32_t>(divide_up(n, tile_rows(how)));
  const TileMap map{tiles, tiles, true};
  launch_pass(how, {side, side, map}, 0, map.squares() * kSquare * kSquare, stream.get());
  PassResult result{std::vector<Sum>(at(n, 0, 1)), std::vector<std::uint32_t>(at(n, 0, 1))};
  stream.download(gains.data(), std::span(result.gains));
  stream.download(counts.data(), std::span(result.counts));
  return result;
}

std::string pass_fault(Device& device, const Stream& stream, Precision precision) {
  const Arithmetic how{precision, Kernels::kWgmma};
  const auto n = (tiles_along(device) - 1) * static_cast<std::int32_t>(tile_rows(how)) + kOver;
  const Uploaded rows(device, stream, IntegerRows(precision, n, 3));
  Numbers numbers(4);
  std::vector<std::int32_t> limits;
  limits.reserve(at(2, 0, n));
  for (std::int32_t i = 0; i < 2 * n; ++i) limits.push_back(numbers.next() - 128);
  const Buffer<std::int32_t> both = on_device(device, stream, limits);
  PassSide side;
  side.rows = rows.operand;
  side.max = both.data();
  side.threshold = both.data() + n;
  const PassResult got = run_pass(device, stream, how, side);
  const PassResult wanted = run_pass(device, stream, {precision, Kernels::kMma}, side);
  for (std::int32_t i = 0; i < n; ++i) {
    const std::size_t row = at(i, 0, 1);
    if (got.gains[row] == wanted.gains[row] && got.counts[row] == wanted.counts[row]) continue;
    return "a pass by wgmma goes wrong here: row " + std::to_string(i) + " of integers has gain " +
           std::to_string(got.gains[row]) + " and " + std::to_string(got.counts[row]) + " pairs, by mma " +
           std::to_string(wanted.gains[row]) + " and " + std::to_string(wanted.counts[row]);
  }
  return "";
}

}  // namespace

std::string wgmma_fault(const Device& device, Precision precision) {
  static std::mutex mutex;
  static std::set<std::pair<int, Precision>> right;
  const std::lock_guard lock(mutex);
  const std::pair key{device.index(), precision};
  if (right.contains(key)) return "";
  std::string fault;
  try {
    Device own(device.index());  // what is allocated here is no part of an engine
    const Stream stream(own);
    fault = similarities_fault(own, stream, precision);
    if (fault.empty()) fault = pass_fault(own, stream, precision);
  } catch (const Error& error) {
    // What a kernel does to the device may be for good: then mma.sync has to be asked for from the start.
    if (cudaFree(nullptr) != cudaSuccess) {
      throw Error(std::string(error.what()) +
                  " It came from trying wgmma. Start anew with QDIT_CUDA_KERNELS=mma.");
    }
    fault = "wgmma fails here: " + std::string(error.what());
  }
  if (fault.empty()) right.insert(key);
  return fault;
}

}  // namespace qdit::cuda
