#include "cpu/alive_cache.h"

#include <algorithm>

#include "engine/row_weights.h"

namespace qdit::cpu {
FoundPairs::FoundPairs(int threads, std::size_t candidates, std::size_t bytes)
    // A vector that grows may have room for twice as many, and all are copied once more to be stored.
    : most_(bytes / (4 * sizeof(CandidatePair) * static_cast<std::size_t>(threads))),
      kept_(candidates),
      of_threads_(static_cast<std::size_t>(threads)) {
  for (OfThread& found : of_threads_) found.lists.resize(candidates);
}

void FoundPairs::shed(OfThread& found) {
  std::size_t kept = this->kept();
  while (kept > 0 && found.count > most_ / 2) {
    kept /= 2;
    for (std::size_t c = kept; c < found.lists.size(); ++c) {
      found.count -= found.lists[c].size();
      found.lists[c] = {};
    }
  }
  std::size_t now = this->kept();
  while (kept < now && !kept_.compare_exchange_weak(now, kept, std::memory_order_relaxed)) {
  }
}

std::size_t FoundPairs::count(std::size_t candidate) const {
  std::size_t sum = 0;
  for (const OfThread& found : of_threads_) sum += found.lists[candidate].size();
  return sum;
}

void FoundPairs::copy(std::size_t candidate, CandidatePair* to) const {
  for (const OfThread& found : of_threads_) to = std::ranges::copy(found.lists[candidate], to).out;
}

std::size_t FoundPairs::bytes() const {
  std::size_t sum = 0;
  for (const OfThread& found : of_threads_) {
    for (const auto& list : found.lists) sum += list.capacity() * sizeof(CandidatePair);
  }
  return sum;
}

AliveCache::AliveCache(Index n, std::size_t bytes, const std::uint32_t* weights) : weights_(weights) {
  const std::size_t table = static_cast<std::size_t>(n) * sizeof(List);
  if (bytes <= table) return;
  budget_ = bytes - table;
  lists_.resize(static_cast<std::size_t>(n));
}

// What the allocator takes for so many.
std::size_t AliveCache::bytes_for(std::size_t pairs) { return pairs * sizeof(CandidatePair) + 16; }

std::size_t AliveCache::room(const std::int32_t* max, std::int64_t commits) {
  const auto left = [this] { return budget_ - used_ > budget_ / 16 ? budget_ - used_ : 0; };
  if (budget_ > 0 && left() == 0 && commits >= next_drop_) {
    drop_dead(max);
    next_drop_ = commits + commits / 4 + 1;
  }
  return left();
}

void AliveCache::store(std::span<const Index> candidates, const FoundPairs& found) {
  for (std::size_t c = 0; c < found.kept(); ++c) {
    erase(candidates[c]);
    const std::size_t count = found.count(c);
    if (lists_.empty() || used_ + bytes_for(count) > budget_) continue;
    List& list = this->list(candidates[c]);
    list.pairs = std::make_unique_for_overwrite<CandidatePair[]>(count);
    list.count = list.room = static_cast<std::uint32_t>(count);
    used_ += bytes_for(count);
    found.copy(c, list.pairs.get());
  }
}

Fixed AliveCache::gain(Index candidate, const std::int32_t* max) {
  List& list = this->list(candidate);
  Fixed sum = 0;
  CandidatePair* end = list.pairs.get();
  for (std::uint32_t i = 0; i < list.count; ++i) {
    const CandidatePair pair = list.pairs[i];
    const std::int32_t rise = pair.sim - max[pair.row];
    *end = pair;
    if (rise <= 0) continue;
    sum += weighted(weights_, pair.row, rise);
    ++end;
  }
  list.count = static_cast<std::uint32_t>(end - list.pairs.get());
  return sum;
}

Fixed AliveCache::raise(Index candidate, std::int32_t* max) const {
  const List& list = this->list(candidate);
  Fixed sum = 0;
  for (std::uint32_t i = 0; i < list.count; ++i) {
    const auto [row, sim] = list.pairs[i];
    if (sim <= max[row]) continue;
    sum += weighted(weights_, row, sim - max[row]);
    max[row] = sim;
  }
  return sum;
}

void AliveCache::erase(Index candidate) {
  if (!contains(candidate)) return;
  used_ -= bytes_for(list(candidate).room);
  list(candidate) = List();
}

void AliveCache::clear() {
  for (List& list : lists_) list = List();
  used_ = 0;
  next_drop_ = 0;
}

void AliveCache::drop_dead(const std::int32_t* max) {
  for (Index candidate = 0; candidate < static_cast<Index>(lists_.size()); ++candidate) {
    if (!contains(candidate)) continue;
    gain(candidate, max);
    List& list = this->list(candidate);
    auto alive = std::make_unique_for_overwrite<CandidatePair[]>(list.count);
    std::copy_n(list.pairs.get(), list.count, alive.get());
    used_ -= bytes_for(list.room) - bytes_for(list.count);
    list.pairs = std::move(alive);
    list.room = list.count;
  }
}

}  // namespace qdit::cpu
