#include "cuda/kernel_choice.h"

#include <cstdlib>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cuda/half.h"
#include "cuda/kernels.h"
#include "cuda/wgmma.h"

namespace qdit::cuda {
namespace {

constexpr const char* kVariable = "QDIT_CUDA_KERNELS";

// Why the device cannot run wgmma, or "".
std::string why_no_wgmma(int device) {
  cudaDeviceProp card{};
  QDIT_CUDA_CHECK(cudaGetDeviceProperties(&card, device));
  if (card.major != 9 || card.minor != 0) {
    return std::string(card.name) + " has compute capability " + std::to_string(card.major) + "." +
           std::to_string(card.minor) + ", wanted 9.0";
  }
  return wgmma::has_kernels() ? "" : "this build has none for compute capability 9.0";
}

// More rows than a tile and not a whole number of them; more slabs than the pipeline has stages, the last one
// short. Items are integers so small that every sum is exact.
constexpr std::int32_t kRows = 203;
constexpr std::int32_t kDepth = 5 * kSlab + 24;

std::size_t at(std::int32_t row, std::int32_t k, std::int32_t width) {
  return static_cast<std::size_t>(row) * static_cast<std::size_t>(width) + static_cast<std::size_t>(k);
}

// The product of two low parts is left out of split products, so both parts are kept apart.
struct IntegerRows {
  std::vector<std::uint16_t> high;
  std::vector<std::uint16_t> low;
  std::vector<int> high_values;
  std::vector<int> low_values;

  IntegerRows(Precision precision, unsigned seed) {
    const bool split = precision == Precision::kSplit;
    for (std::int32_t i = 0; i < kRows * kDepth; ++i) {
      seed = seed * 1664525u + 1013904223u;
      const int whole = static_cast<int>(seed >> 24) % 7 - 3;
      const int small = split ? static_cast<int>(seed >> 16 & 0xffu) % 3 - 1 : 0;
      high.push_back(float_to_half(static_cast<float>(whole)));
      low.push_back(float_to_half(static_cast<float>(small) * kLowScale));
      high_values.push_back(whole);
      low_values.push_back(small);
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

class Uploaded {
 public:
  Uploaded(Device& device, const Stream& stream, const IntegerRows& rows)
      : high_(device, std::ssize(rows.high)), low_(device, std::ssize(rows.low)), ones_(device, kRows) {
    stream.upload(std::span<const std::uint16_t>(rows.high), high_.data());
    stream.upload(std::span<const std::uint16_t>(rows.low), low_.data());
    const std::vector<float> ones(kRows, 1.0f);
    stream.upload(std::span<const float>(ones), ones_.data());
  }
  Operand operand() const {
    return {high_.data(), low_.data(), ones_.data(), nullptr, kRows, kDepth, kDepth};
  }

 private:
  Buffer<std::uint16_t> high_;
  Buffer<std::uint16_t> low_;
  Buffer<float> ones_;
};

void multiply_integers(Device& device, Precision precision) {
  const Stream stream(device);
  const IntegerRows a(precision, 1);
  const IntegerRows b(precision, 2);
  const Uploaded rows(device, stream, a);
  const Uploaded columns(device, stream, b);
  const Buffer<std::int32_t> found(device, std::int64_t{kRows} * kRows);
  const Arithmetic how{precision, Kernels::kWgmma};
  launch_similarities(how, rows.operand(), columns.operand(), found.data(), kRows, stream.get());
  std::vector<std::int32_t> got(at(kRows, 0, kRows));
  stream.download(found.data(), std::span(got));
  for (std::int32_t i = 0; i < kRows; ++i) {
    for (std::int32_t j = 0; j < kRows; ++j) {
      const int wanted = a.dot(i, b, j);
      const int value = got[at(i, j, kRows)];
      if (value == wanted) continue;
      throw Error("CUDA: the wgmma kernels multiply wrongly on device " + std::to_string(device.index()) +
                  " (" + describe(device.index()) + "): row " + std::to_string(i) + " times row " +
                  std::to_string(j) + " of integers gave " + std::to_string(value) + ", wanted " +
                  std::to_string(wanted) + ". Set " + kVariable + "=mma to multiply by mma.sync instead.");
    }
  }
}

}  // namespace

const char* name_of(Kernels kernels) { return kernels == Kernels::kWgmma ? "wgmma" : "mma"; }

Kernels choose_kernels(int device) {
  const char* text = std::getenv(kVariable);
  const std::string wanted = text == nullptr ? "" : text;
  if (wanted == "mma") return Kernels::kMma;
  const std::string reason = why_no_wgmma(device);
  if (wanted == "wgmma") {
    if (reason.empty()) return Kernels::kWgmma;
    throw Error(std::string(kVariable) + ": got \"wgmma\", but " + reason + ".");
  }
  if (!wanted.empty()) {
    throw Error(std::string(kVariable) + ": got \"" + wanted + "\", wanted \"mma\" or \"wgmma\".");
  }
  return reason.empty() ? Kernels::kWgmma : Kernels::kMma;
}

void check_wgmma(Device& device, Precision precision) {
  static std::mutex mutex;
  static std::set<std::pair<int, Precision>> right;
  const std::lock_guard lock(mutex);
  const std::pair key{device.index(), precision};
  if (right.contains(key)) return;
  multiply_integers(device, precision);
  right.insert(key);
}

}  // namespace qdit::cuda
