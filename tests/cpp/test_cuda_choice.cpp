// Which kernels multiply, on emulated devices: the second has no wgmma, the first one's can be made to go
// wrong.
#include <cstdlib>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "check.h"
#include "cuda/device.h"
#include "cuda/kernel_choice.h"
#include "cuda/kernels/layout.h"
#include "cuda/library.h"
#include "cuda/wgmma_check.h"
#include "pools.h"

using namespace qdit;
using namespace qdit::cuda;

namespace {

// Sets a variable of the environment, or unsets it, until the end of the block.
class Setting {
 public:
  Setting(const char* name, const char* value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    set(value);
  }
  Setting(const Setting&) = delete;
  Setting& operator=(const Setting&) = delete;
  ~Setting() { set(before_ ? before_->c_str() : nullptr); }

 private:
  void set(const char* value) const {
    if (value == nullptr) {
      unsetenv(name_);
    } else {
      setenv(name_, value, 1);
    }
  }
  const char* name_;
  std::optional<std::string> before_;
};

bool ends_with(const std::string& whole, const std::string& end) {
  return whole.size() >= end.size() && whole.substr(whole.size() - end.size()) == end;
}

}  // namespace

// In this order: what was found right is not looked at again, float16 here only in the last test that asks.
TEST(what_is_wrong_is_found) {
  Device device(0);
  CHECK(wgmma_fault(device, Precision::kSplit).empty());
  const Setting broken("QDIT_EMULATED_WRONG_WGMMA", "0");
  CHECK(wgmma_fault(device, Precision::kSplit).empty());  // it looks once
  const std::string fault = wgmma_fault(device, Precision::kHalf);
  CHECK(fault.find("wgmma multiplies wrongly here: row ") == 0);
  CHECK(wgmma_fault(device, Precision::kHalf) == fault);
}

TEST(a_pass_that_goes_wrong_is_found) {
  Device device(0);
  // A tile of the check takes 72 products: the first one of each block is right.
  const Setting broken("QDIT_EMULATED_WRONG_WGMMA", "100");
  CHECK(wgmma_fault(device, Precision::kHalf).find("a pass by wgmma goes wrong here: row ") == 0);
}

TEST(kernels_that_do_not_start_mean_mma_too) {
  const Setting unset("QDIT_CUDA_KERNELS", nullptr);
  Device device(0);
  const IntegerPool pool(30, 8, 3);
  PoolOptions options = pool.options();
  options.precision = "float16";
  const Setting little("QDIT_EMULATED_SHARED", "110000");  // enough for mma
  const Choice choice = choose_arithmetic(device, options);
  CHECK(choice.how.kernels == Kernels::kMma);
  CHECK(choice.text.find(" products by mma (wgmma fails here: CUDA: ") != std::string::npos);
  const Setting lost("QDIT_EMULATED_LOST", "1");
  CHECK_THROWS(choose_arithmetic(device, options), std::runtime_error,
               "Start anew with QDIT_CUDA_KERNELS=mma.");
}

TEST(a_fault_means_mma_and_is_recorded) {
  const Setting unset("QDIT_CUDA_KERNELS", nullptr);
  const IntegerPool pool(30, 8, 3);
  PoolOptions options = pool.options();
  options.precision = "float16";
  Device device(0);
  {
    const Setting broken("QDIT_EMULATED_WRONG_WGMMA", "0");
    const Choice choice = choose_arithmetic(device, options);
    CHECK(choice.how.kernels == Kernels::kMma && choice.how.precision == Precision::kHalf);
    CHECK(choice.text.find("float16 products by mma (wgmma multiplies wrongly here: row ") !=
          std::string::npos);
    CHECK(std::unique_ptr<Backend>(qdit_cuda_make(&options))->device() == choice.text);
    CHECK(std::unique_ptr<GraphBackend>(qdit_cuda_make_graph(&options))->device() == choice.text);
    const Setting forced("QDIT_CUDA_KERNELS", "wgmma");
    CHECK_THROWS(choose_arithmetic(device, options), std::runtime_error,
                 "got \"wgmma\", but wgmma multiplies wrongly here: row ");
  }
  CHECK(choose_arithmetic(device, options).how.kernels == Kernels::kWgmma);
}

TEST(the_device_and_the_variable_choose) {
  const IntegerPool pool(30, 8, 3);
  const PoolOptions options = pool.options();
  Device first(0);
  const auto text = [&](Device& device) { return choose_arithmetic(device, options).text; };
  {
    const Setting unset("QDIT_CUDA_KERNELS", nullptr);
    CHECK(ends_with(text(first), ", compute capability 9.0, split products by wgmma"));
    Device second(1);
    CHECK(ends_with(text(second),
                    ", compute capability 8.0, split products by mma (wgmma needs compute "
                    "capability 9.0)"));
    const Setting forced("QDIT_CUDA_KERNELS", "wgmma");
    CHECK_THROWS(choose_arithmetic(second, options), std::runtime_error,
                 "QDIT_CUDA_KERNELS: got \"wgmma\", but wgmma needs compute capability 9.0 (");
  }
  const Setting mma("QDIT_CUDA_KERNELS", "mma");
  CHECK(ends_with(text(first), " split products by mma"));
  const Setting other("QDIT_CUDA_KERNELS", "tensor");
  CHECK_THROWS(choose_arithmetic(first, options), std::runtime_error,
               "got \"tensor\", wanted \"mma\" or \"wgmma\"");
}

int main() { return check::run(); }
