#include "cpu/graph_lists.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <functional>
#include <new>
#include <numeric>
#include <utility>
#include <vector>

#include "cpu/spin_lock.h"

namespace qdit::cpu {
namespace {

constexpr Index kSortRows = 1024;  // rows of one task of a sort

// Room for more than is kept, so that a full list is shrunk rarely.
std::size_t capacity_for(std::size_t keep) { return keep + std::max<std::size_t>(16, keep / 16); }

// Moves the `keep` largest of some keys to the front, and returns the least of them. Nearly all are kept: a
// pivot from a sample that is a little larger than that one leaves few, and parting by it takes no branches.
NeighborKey keep_largest(std::span<NeighborKey> keys, std::size_t keep) {
  constexpr std::size_t kSample = 16;
  std::size_t begin = 0;
  std::size_t end = keys.size();
  while (end - begin > 4 * kSample) {
    std::array<NeighborKey, kSample> sample;
    const std::size_t step = (end - begin) / kSample;
    for (std::size_t i = 0; i < kSample; ++i) sample[i] = keys[begin + i * step];
    std::sort(sample.begin(), sample.end(), std::greater<>());
    const std::size_t rank = (keep - begin) * kSample / (end - begin);
    const NeighborKey pivot = sample[rank - std::min<std::size_t>(rank, 2)];
    std::size_t above = begin;
    for (std::size_t i = begin; i < end; ++i) {
      const NeighborKey key = keys[i];
      keys[i] = keys[above];
      keys[above] = key;
      above += static_cast<std::size_t>(key > pivot);
    }
    if (above == begin) break;
    (above < keep ? begin : end) = above;
  }
  const auto first = keys.begin();
  std::nth_element(first + static_cast<std::ptrdiff_t>(begin), first + static_cast<std::ptrdiff_t>(keep) - 1,
                   first + static_cast<std::ptrdiff_t>(end), std::greater<>());
  return keys[keep - 1];
}

// Sorts keys by the digits of their similarities, from the last one on; comparisons take three times as long.
class KeySort {
 public:
  // The largest first.
  void operator()(std::span<NeighborKey> keys) {
    if (keys.size() < kFew) {
      std::sort(keys.begin(), keys.end(), std::greater<>());
      return;
    }
    const auto [least, most] = std::minmax_element(keys.begin(), keys.end());
    first_ = *most >> 32;
    other_.resize(keys.size());
    const auto bits = static_cast<int>(std::bit_width(first_ - (*least >> 32)));
    std::span<NeighborKey> from = keys;
    std::span<NeighborKey> to = other_;
    for (int shift = 0; shift < bits; shift += kDigit) {
      by_digit(from, to, shift);
      std::swap(from, to);
    }
    if (from.data() != keys.data()) std::copy(from.begin(), from.end(), keys.begin());
    sort_ties(keys);
  }

 private:
  static constexpr int kDigit = 9;  // bits
  static constexpr std::size_t kFew = 64;

  void by_digit(std::span<const NeighborKey> from, std::span<NeighborKey> to, int shift) {
    const auto digit = [&](NeighborKey key) {
      return ((first_ - (key >> 32)) >> shift) & ((std::uint64_t{1} << kDigit) - 1);
    };
    places_.fill(0);
    for (const NeighborKey key : from) ++places_[digit(key)];
    std::exclusive_scan(places_.begin(), places_.end(), places_.begin(), std::uint32_t{0});
    for (const NeighborKey key : from) to[places_[digit(key)]++] = key;
  }

  static void sort_ties(std::span<NeighborKey> keys) {
    const auto differ = [](NeighborKey a, NeighborKey b) { return (a >> 32) != (b >> 32); };
    for (auto begin = keys.begin(); begin != keys.end();) {
      const auto end = std::find_if(begin, keys.end(), [&](NeighborKey key) { return differ(*begin, key); });
      std::sort(begin, end, std::greater<>());
      begin = end;
    }
  }

  std::uint64_t first_ = 0;
  std::array<std::uint32_t, std::size_t{1} << kDigit> places_;
  std::vector<NeighborKey> other_;
};

Neighbor decode(NeighborKey key) { return {0xffffffffu - static_cast<std::uint32_t>(key), similarity(key)}; }

}  // namespace

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
  std::uint32_t count = head.count.load(std::memory_order_relaxed);
  while (true) {
    const std::size_t room = std::min(capacity_ - count, keys.size());
    std::copy_n(keys.begin(), room, list(v) + count);
    count += static_cast<std::uint32_t>(room);
    keys = keys.subspan(room);
    if (keys.empty()) break;
    count = shrink(v);
  }
  head.count.store(count, std::memory_order_relaxed);
}

std::uint32_t NeighborLists::shrink(Index v) {
  const NeighborKey least = keep_largest({list(v), capacity_}, keep_);
  heads_[index(v)].cutoff.store(least, std::memory_order_relaxed);
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
    KeySort sort;
    for (Index v = task * kSortRows; v < end; ++v) {
      const std::span<NeighborKey> keys(list(v), heads_[index(v)].count.load(std::memory_order_relaxed));
      sort(keys);
      for (NeighborKey& key : keys) {
        const Neighbor pair = decode(key);
        std::memcpy(&key, &pair, sizeof pair);
      }
    }
  });
  NeighborTable table;
  table.offsets.resize(index(n_) + 1);
  auto* const bytes = reinterpret_cast<std::byte*>(keys_.get());
  std::size_t size = 0;
  for (Index v = 0; v < n_; ++v) {
    const std::size_t count = std::min<std::size_t>(heads_[index(v)].count, keep_);
    std::memmove(bytes + size * sizeof(Neighbor), list(v), count * sizeof(Neighbor));
    size += count;
    table.offsets[index(v) + 1] = static_cast<std::int64_t>(size);
  }
  heads_.reset();
  void* memory = keys_.release();
  void* less = std::realloc(memory, std::max<std::size_t>(1, size) * sizeof(Neighbor));
  table.pairs.reset(static_cast<Neighbor*>(less == nullptr ? memory : less));
  return table;
}

}  // namespace qdit::cpu
