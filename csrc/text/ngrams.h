// Vectors of texts without a model: hashed n-grams, added to a few dimensions each with a sign. All sums are
// of whole numbers, so a vector has the same bits in whatever order they are made.
#pragma once

#include <cstdint>
#include <span>

#include "engine/interrupt.h"

namespace qdit::text {

constexpr int kBlocks = 8;  // an n-gram lands in one dimension of each
constexpr int kBlockSize = 48;
constexpr int kDimensions = kBlocks * kBlockSize;

// Texts one after the other, in lower case; `ends` has the position behind the last character of each.
struct Texts {
  std::span<const std::uint32_t> characters;
  std::span<const std::int64_t> ends;
};

// Fills rows, (texts, kDimensions); a text without a letter or digit gives zeros.
void hash_ngrams(const Texts& texts, double* rows, int threads, Interrupt& interrupt);

}  // namespace qdit::text
