// The running maxima after each of the last commits, and which rows rose since.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cuda/kernels/choice_kernels.h"
#include "cuda/product.h"

namespace qdit::cuda {

class PastMaxima {
 public:
  explicit PastMaxima(const Context& context);

  // What was before is forgotten; these are the maxima after so many commits.
  void restart(const std::int32_t* max, std::int64_t commits);
  void keep(const std::int32_t* max, std::int64_t commits);
  bool knows(std::int64_t commits) const;

  // Rows that rose since then by more than `above` and up to `most`, while their lists were incomplete.
  struct Raised {
    PastRises rises;
    const Subset& rows;
    double mean;  // rise
  };
  Raised raised(std::int64_t commits, const std::int32_t* max, const std::int32_t* threshold,
                std::int32_t above, std::int32_t most);

 private:
  const std::int32_t* after(std::int64_t commits) const;

  const Context& context_;
  Buffer<std::int32_t> kept_;
  std::int64_t first_ = 0;  // commits of the first one kept since restart()
  std::int64_t last_ = 0;
  Buffer<RaisedCount> found_;  // by chunk
  std::vector<RaisedCount> host_found_;
  Subset rows_;
};

}  // namespace qdit::cuda
