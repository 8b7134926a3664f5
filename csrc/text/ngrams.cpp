#include "text/ngrams.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <vector>

#include "cpu/thread_pool.h"
#include "engine/mix.h"

namespace qdit::text {
namespace {

using Word = std::uint64_t;

// Words of up to three letters (most of them function words), other words, pairs of words, and three
// characters in a row; a key is the hash of an n-gram, cut, and its kind.
enum Kind : std::uint8_t { kShort, kWord, kPair, kPiece };
constexpr std::array<double, 4> kWeights{8, 192, 32, 64};
constexpr int kKindBits = 2;
constexpr int kHashBits = 44;
constexpr std::size_t kGram = 3;
constexpr Word kBase = 0x9e3779b97f4a7c15ULL;  // of the polynomials, and of a pair
constexpr Word kSpace = mix(U' ');  // stands for all that separates; no other character is mixed to it
constexpr std::int64_t kTextsOfTask = 64;

// Beyond ASCII all is a letter but Latin-1, general, CJK and full-width punctuation.
bool separates(std::uint32_t c) {
  if (c < 0x80) return !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'));
  return c <= 0xbf || (c >= 0x2000 && c <= 0x206f) || (c >= 0x3000 && c <= 0x303f) ||
         (c >= 0xff00 && c <= 0xff0f);
}

// How often each key of a text occurs; keeps its memory from text to text.
class Counts {
 public:
  void start(std::size_t most) {
    const std::size_t size = std::bit_ceil(2 * most + 1);
    if (size > slots_.size()) slots_.resize(size);
    mask_ = size - 1;
    std::fill_n(slots_.begin(), size, Slot{});
  }

  void add(Word hash, Kind kind) {
    const Word key = (hash >> (64 - kHashBits) << kKindBits) | kind;
    std::size_t at = static_cast<std::size_t>(key >> kKindBits) & mask_;
    while (slots_[at].count != 0 && slots_[at].key != key) at = (at + 1) & mask_;
    slots_[at].key = key;
    ++slots_[at].count;
  }

  template <typename Visit>
  void each(const Visit& visit) const {
    for (std::size_t at = 0; at <= mask_; ++at) {
      if (slots_[at].count != 0) visit(slots_[at].key, slots_[at].count);
    }
  }

 private:
  struct Slot {
    Word key = 0;
    std::int64_t count = 0;
  };
  std::vector<Slot> slots_;
  std::size_t mask_ = 0;
};

class Hasher {
 public:
  void hash(std::span<const std::uint32_t> text, double* row) {
    read(text);
    counts_.start(2 * words_ + mixed_.size());
    add_words();
    for (std::size_t i = 0; i + kGram <= mixed_.size(); ++i) {
      counts_.add(mix(mixed_[i] + kBase * (mixed_[i + 1] + kBase * mixed_[i + 2])), kPiece);
    }
    project(row);
  }

 private:
  // Characters are mixed at once; what is no letter or digit is a space, spaces do not repeat, and there is
  // one at both ends.
  void read(std::span<const std::uint32_t> text) {
    mixed_.assign(1, kSpace);
    words_ = 0;
    for (const std::uint32_t c : text) {
      const bool space = separates(c);
      if (mixed_.back() == kSpace) {
        if (space) continue;
        ++words_;
      }
      mixed_.push_back(space ? kSpace : mix(c));
    }
    if (mixed_.back() != kSpace) mixed_.push_back(kSpace);
  }

  void add_words() {
    Word before = 0, sum = 0, power = 1;
    std::size_t length = 0, seen = 0;
    for (std::size_t i = 1; i < mixed_.size(); ++i) {
      if (mixed_[i] != kSpace) {
        sum += mixed_[i] * power;
        power *= kBase;
        ++length;
        continue;
      }
      const Word word = mix(sum);
      counts_.add(word, length <= 3 ? kShort : kWord);
      if (seen++ > 0) counts_.add(mix(before + kBase * word), kPair);
      before = word;
      sum = 0, power = 1, length = 0;
    }
  }

  void project(double* row) const {
    std::array<std::int64_t, kDimensions> total{};
    counts_.each([&total](Word key, std::int64_t count) {
      const double weight = kWeights[key & ((1U << kKindBits) - 1)];
      const auto whole =
          static_cast<std::int64_t>(std::nearbyint(weight * std::sqrt(static_cast<double>(count))));
      for (Word block = 0; block < kBlocks; ++block) {
        const Word word = mix(key + (block << 48));
        const Word place = block * kBlockSize + ((word >> 33) * kBlockSize >> 31);
        total[place] += (word & 1) != 0 ? whole : -whole;
      }
    });
    std::ranges::transform(total, row, [](std::int64_t sum) { return static_cast<double>(sum); });
  }

  std::vector<Word> mixed_;
  std::size_t words_ = 0;
  Counts counts_;
};

}  // namespace

void hash_ngrams(const Texts& texts, double* rows, int threads, Interrupt& interrupt) {
  const auto n = static_cast<std::int64_t>(texts.ends.size());
  const std::int64_t tasks = (n + kTextsOfTask - 1) / kTextsOfTask;
  threads = static_cast<int>(std::clamp<std::int64_t>(tasks, 1, threads));
  std::vector<Hasher> hashers(static_cast<std::size_t>(threads));
  cpu::ThreadPool pool(threads, interrupt);
  pool.run(tasks, [&](std::int64_t task, int thread) {
    for (std::int64_t i = task * kTextsOfTask; i < std::min(n, (task + 1) * kTextsOfTask); ++i) {
      const auto at = static_cast<std::size_t>(i);
      const auto start = static_cast<std::size_t>(i == 0 ? 0 : texts.ends[at - 1]);
      const auto text = texts.characters.subspan(start, static_cast<std::size_t>(texts.ends[at]) - start);
      hashers[static_cast<std::size_t>(thread)].hash(text, rows + i * kDimensions);
    }
  });
}

}  // namespace qdit::text
