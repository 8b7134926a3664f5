#include "cuda/kernel_choice.h"

#include <cstdlib>

#include "cuda/kernels/wgmma_kernels.h"
#include "cuda/wgmma_check.h"

namespace qdit::cuda {
namespace {

constexpr const char* kVariable = "QDIT_CUDA_KERNELS";

Precision choose_precision(const PoolOptions& options) {
  if (options.precision == "float16") return Precision::kHalf;
  if (options.precision == "split") return Precision::kSplit;
  const bool half = options.rows.dtype == DType::kFloat16 || options.rows.dtype == DType::kBFloat16;
  return half ? Precision::kHalf : Precision::kSplit;
}

// Why the device is not to multiply by wgmma, or "".
std::string why_no_wgmma(const Device& device, Precision precision) {
  cudaDeviceProp card{};
  QDIT_CUDA_CHECK(cudaGetDeviceProperties(&card, device.index()));
  if (card.major != 9 || card.minor != 0) return "wgmma needs compute capability 9.0";
  if (!wgmma::has_kernels()) return "this build has no kernels with wgmma";
  return wgmma_fault(device, precision);
}

}  // namespace

Choice choose_arithmetic(const Device& device, const PoolOptions& options) {
  const char* variable = std::getenv(kVariable);
  const std::string wanted = variable == nullptr ? "" : variable;
  if (!wanted.empty() && wanted != "mma" && wanted != "wgmma") {
    throw Error(std::string(kVariable) + ": got \"" + wanted + "\", wanted \"mma\" or \"wgmma\".");
  }
  const Precision precision = choose_precision(options);
  const std::string reason = wanted == "mma" ? "" : why_no_wgmma(device, precision);
  const std::string card = describe(device.index());
  if (wanted == "wgmma" && !reason.empty()) {
    throw Error(std::string(kVariable) + ": got \"wgmma\", but " + reason + " (" + card +
                "). Leave it unset, or set it to \"mma\".");
  }
  const bool by_wgmma = wanted != "mma" && reason.empty();
  return {{precision, by_wgmma ? Kernels::kWgmma : Kernels::kMma},
          card + ", " + (precision == Precision::kSplit ? "split" : "float16") + " products by " +
              (by_wgmma ? "wgmma" : "mma") + (reason.empty() ? "" : " (" + reason + ")")};
}

}  // namespace qdit::cuda
