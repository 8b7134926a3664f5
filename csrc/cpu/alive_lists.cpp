#include "cpu/alive_lists.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "cpu/spin_lock.h"

namespace qdit::cpu {

AliveLists::AliveLists(Index n, Index capacity, std::span<const std::int32_t> thresholds)
    : n_(n),
      capacity_(capacity),
      heads_(std::make_unique<Head[]>(index(n))),
      pairs_(static_cast<AlivePair*>(std::malloc(index(n) * index(capacity) * sizeof(AlivePair)))) {
  if (!pairs_) throw std::bad_alloc();
  for (Index v = 0; v < n; ++v) heads_[index(v)].threshold = thresholds[index(v)];
}

void AliveLists::append(Index v, const Pairs& found, std::size_t count, Index first) {
  Head& head = heads_[index(v)];
  const SpinLock lock(head.lock);
  AlivePair* to = list(v);
  std::int32_t threshold = head.threshold.load(std::memory_order_relaxed);
  std::size_t size = this->count(v);
  for (std::size_t i = 0; i < count; ++i) {
    if (static_cast<Index>(size) == capacity_) {
      cut(v, size);
      shrink(v);
      size = this->count(v);
      threshold = head.threshold.load(std::memory_order_relaxed);
    }
    if (found.sims[i] <= threshold) continue;
    to[size] = {found.ids[i] + static_cast<std::uint32_t>(first), found.sims[i]};
    ++size;
  }
  cut(v, size);
}

void AliveLists::shrink(Index v) {
  const auto all = pairs(v);
  std::vector<std::int32_t> sims;
  sims.reserve(all.size());
  for (const AlivePair& pair : all) sims.push_back(pair.sim);
  const auto least = sims.begin() + static_cast<std::ptrdiff_t>(sims.size() / 4);
  std::nth_element(sims.begin(), least, sims.end());
  const std::int32_t threshold = *least;
  heads_[index(v)].threshold.store(threshold, std::memory_order_relaxed);
  const auto end = std::remove_if(all.begin(), all.end(),
                                  [threshold](const AlivePair& pair) { return pair.sim <= threshold; });
  cut(v, static_cast<std::size_t>(end - all.begin()));
}

void AliveLists::compact() {
  std::vector<std::size_t> begin(index(n_) + 1);
  for (Index v = 0; v < n_; ++v) {
    const auto from = pairs(v);
    std::memmove(pairs_.get() + begin[index(v)], from.data(), from.size_bytes());
    begin[index(v) + 1] = begin[index(v)] + from.size();
  }
  compact_begin_ = std::move(begin);
  AlivePair* memory = pairs_.release();
  void* less = std::realloc(memory, std::max<std::size_t>(1, compact_begin_.back()) * sizeof(AlivePair));
  pairs_.reset(less == nullptr ? memory : static_cast<AlivePair*>(less));
}

std::size_t AliveLists::pair_bytes() const {
  std::size_t sum = 0;
  for (Index v = 0; v < n_; ++v) sum += count(v) * sizeof(AlivePair);
  return sum;
}

std::size_t AliveLists::bytes() const {
  if (!compact_begin_.empty()) return index(n_) * sizeof(Head) + compact_begin_.back() * sizeof(AlivePair);
  constexpr std::size_t kPage = 4096;
  const std::size_t most = index(capacity_) * sizeof(AlivePair);
  std::size_t sum = index(n_) * sizeof(Head);
  for (Index v = 0; v < n_; ++v) {
    sum += std::min(most, (count(v) * sizeof(AlivePair) + kPage - 1) / kPage * kPage);
  }
  return sum;
}

}  // namespace qdit::cpu
