#include "cpu/similarity_cache.h"

#include <algorithm>
#include <utility>

namespace qdit::cpu {
namespace {

// Fewer rows than one narrow batch would push each other out.
constexpr Index kLeastRows = 16;

Index capacity_of(Index n, std::size_t bytes) {
  const std::size_t slot = static_cast<std::size_t>(n) * sizeof(std::int32_t);
  const auto rows = std::min<std::size_t>(bytes / slot, static_cast<std::size_t>(n));
  return static_cast<Index>(rows) < std::min(kLeastRows, n) ? 0 : static_cast<Index>(rows);
}

}  // namespace

SimilarityCache::SimilarityCache(Index n, std::size_t bytes) : n_(n), capacity_(capacity_of(n, bytes)) {
  if (capacity_ > 0) slot_of_.assign(static_cast<std::size_t>(n), -1);
}

const std::int32_t* SimilarityCache::get(Index row) {
  Slot& slot = slots_[static_cast<std::size_t>(slot_of_[static_cast<std::size_t>(row)])];
  slot.used = ++clock_;
  return slot.sims.data();
}

std::size_t SimilarityCache::oldest() const {
  const auto older = [](const Slot& a, const Slot& b) { return a.used < b.used; };
  return static_cast<std::size_t>(std::min_element(slots_.begin(), slots_.end(), older) - slots_.begin());
}

std::int32_t* SimilarityCache::reserve(Index row) {
  std::size_t place = slots_.size();
  if (static_cast<Index>(slots_.size()) < capacity_) {
    Slot slot;
    slot.sims.resize(static_cast<std::size_t>(n_));
    slots_.push_back(std::move(slot));
  } else {
    place = oldest();
    if (slots_[place].row >= 0) erase(slots_[place].row);
  }
  slots_[place].used = ++clock_;
  reserved_.push_back({place, row});
  return slots_[place].sims.data();
}

void SimilarityCache::publish() {
  for (const auto& [place, row] : reserved_) {
    slots_[place].row = row;
    slot_of_[static_cast<std::size_t>(row)] = static_cast<std::int32_t>(place);
  }
  reserved_.clear();
}

void SimilarityCache::erase(Index row) {
  if (!contains(row)) return;
  std::int32_t& place = slot_of_[static_cast<std::size_t>(row)];
  slots_[static_cast<std::size_t>(place)].row = -1;
  slots_[static_cast<std::size_t>(place)].used = 0;
  place = -1;
}

std::size_t SimilarityCache::bytes() const {
  return slot_of_.size() * sizeof(std::int32_t) +
         slots_.size() * (static_cast<std::size_t>(n_) * sizeof(std::int32_t) + sizeof(Slot));
}

}  // namespace qdit::cpu
