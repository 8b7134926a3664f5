#include "cpu/graph_lists.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <new>

#include "cpu/spin_lock.h"

namespace qdit::cpu {
namespace {

constexpr Index kSortRows = 1024;  // rows of one task of a sort

// Room for more than is kept, so that a full list is shrunk rarely.
std::size_t capacity_for(std::size_t keep) { return keep + std::max<std::size_t>(16, keep / 8); }

Neighbor decode(NeighborKey key) {
  const auto high = static_cast<std::uint32_t>(key >> 32) ^ 0x80000000u;
  return {0xffffffffu - static_cast<std::uint32_t>(key), static_cast<std::int32_t>(high)};
}

}  // namespace

std::size_t NeighborLists::bytes_per_row(Index keep) {
  return capacity_for(index(keep)) * sizeof(NeighborKey) + sizeof(Head);
}

NeighborLists::NeighborLists(Index n, Index keep)
    : n_(n),
      keep_(index(keep)),
      capacity_(capacity_for(keep_)),
      heads_(std::make_unique<Head[]>(index(n))),
      keys_(static_cast<NeighborKey*>(std::malloc(index(n) * capacity_ * sizeof(NeighborKey)))) {
  if (!keys_) throw std::bad_alloc();
}

void NeighborLists::append(Index v, std::span<const NeighborKey> keys) {
  Head& head = heads_[index(v)];
  const SpinLock lock(head.lock);
  NeighborKey* to = list(v);
  std::uint32_t count = head.count.load(std::memory_order_relaxed);
  NeighborKey cutoff = head.cutoff.load(std::memory_order_relaxed);
  for (const NeighborKey key : keys) {
    if (key <= cutoff) continue;
    if (count == capacity_) {
      count = shrink(v);
      cutoff = head.cutoff.load(std::memory_order_relaxed);
      if (key <= cutoff) continue;
    }
    to[count++] = key;
  }
  head.count.store(count, std::memory_order_relaxed);
}

std::uint32_t NeighborLists::shrink(Index v) {
  NeighborKey* keys = list(v);
  std::nth_element(keys, keys + keep_ - 1, keys + capacity_, std::greater<>());
  heads_[index(v)].cutoff.store(keys[keep_ - 1], std::memory_order_relaxed);
  return static_cast<std::uint32_t>(keep_);
}

Index NeighborLists::cut_lists() const {
  return std::count_if(heads_.get(), heads_.get() + n_, [this](const Head& head) {
    return head.cutoff.load(std::memory_order_relaxed) > 0 || head.count > keep_;
  });
}

NeighborTable NeighborLists::finish(ThreadPool& pool) {
  pool.run((n_ + kSortRows - 1) / kSortRows, [&](std::int64_t task, int /*thread*/) {
    const Index end = std::min(n_, (task + 1) * kSortRows);
    for (Index v = task * kSortRows; v < end; ++v) {
      NeighborKey* keys = list(v);
      std::sort(keys, keys + heads_[index(v)].count.load(std::memory_order_relaxed), std::greater<>());
    }
  });
  NeighborTable table;
  table.offsets.resize(index(n_) + 1);
  auto* const bytes = reinterpret_cast<std::byte*>(keys_.get());
  std::size_t size = 0;
  for (Index v = 0; v < n_; ++v) {
    const std::size_t count = std::min<std::size_t>(heads_[index(v)].count, keep_);
    for (std::size_t i = 0; i < count; ++i, ++size) {
      const Neighbor pair = decode(list(v)[i]);
      std::memcpy(bytes + size * sizeof pair, &pair, sizeof pair);
    }
    table.offsets[index(v) + 1] = static_cast<std::int64_t>(size);
  }
  heads_.reset();
  void* memory = keys_.release();
  void* less = std::realloc(memory, std::max<std::size_t>(1, size) * sizeof(Neighbor));
  table.pairs.reset(static_cast<Neighbor*>(less == nullptr ? memory : less));
  return table;
}

}  // namespace qdit::cpu
