#include "cpu/alive_lists.h"

#include <algorithm>
#include <thread>
#include <utility>

namespace qdit::cpu {
namespace {

class SpinLock {
 public:
  explicit SpinLock(std::atomic_flag& flag) : flag_(flag) {
    while (flag_.test_and_set(std::memory_order_acquire)) std::this_thread::yield();
  }
  SpinLock(const SpinLock&) = delete;
  SpinLock& operator=(const SpinLock&) = delete;
  ~SpinLock() { flag_.clear(std::memory_order_release); }

 private:
  std::atomic_flag& flag_;
};

}  // namespace

AliveLists::AliveLists(Index n, Index capacity, std::vector<std::int32_t> thresholds)
    : n_(n),
      capacity_(capacity),
      thresholds_(std::move(thresholds)),
      counts_(static_cast<std::size_t>(n), 0),
      locks_(std::make_unique<std::atomic_flag[]>(static_cast<std::size_t>(n))),
      ids_(std::make_unique_for_overwrite<std::uint32_t[]>(static_cast<std::size_t>(n) *
                                                           static_cast<std::size_t>(capacity))),
      sims_(std::make_unique_for_overwrite<std::int32_t[]>(static_cast<std::size_t>(n) *
                                                           static_cast<std::size_t>(capacity))) {}

void AliveLists::append(Index v, const Pairs& found, std::size_t count, Index first) {
  const SpinLock lock(locks_[static_cast<std::size_t>(v)]);
  std::uint32_t& size = counts_[static_cast<std::size_t>(v)];
  const Pairs list = pairs(v);
  for (std::size_t i = 0; i < count; ++i) {
    if (static_cast<Index>(size) == capacity_) shrink(v);
    if (found.sims[i] <= thresholds_[static_cast<std::size_t>(v)]) continue;
    list.ids[size] = found.ids[i] + static_cast<std::uint32_t>(first);
    list.sims[size] = found.sims[i];
    ++size;
  }
}

void AliveLists::shrink(Index v) {
  const Pairs list = pairs(v);
  std::uint32_t& size = counts_[static_cast<std::size_t>(v)];
  std::vector<std::int32_t> sorted(list.sims, list.sims + size);
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  const std::int32_t threshold = *middle;
  std::atomic_ref(thresholds_[static_cast<std::size_t>(v)]).store(threshold, std::memory_order_relaxed);
  std::uint32_t kept = 0;
  for (std::uint32_t i = 0; i < size; ++i) {
    if (list.sims[i] <= threshold) continue;
    list.ids[kept] = list.ids[i];
    list.sims[kept] = list.sims[i];
    ++kept;
  }
  size = kept;
}

std::int64_t AliveLists::entries() const {
  std::int64_t sum = 0;
  for (const std::uint32_t count : counts_) sum += count;
  return sum;
}

std::size_t AliveLists::bytes() const {
  constexpr std::size_t kPage = 4096;
  std::size_t sum = counts_.size() * (sizeof(std::int32_t) + sizeof(std::uint32_t) + 1);
  for (const std::uint32_t count : counts_)
    sum += 2 * std::min((count * sizeof(std::int32_t) / kPage + 1) * kPage,
                        static_cast<std::size_t>(capacity_) * 4);
  return sum;
}

}  // namespace qdit::cpu
