// Structs of options as they come from C: of another version perhaps, and not to be trusted.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <initializer_list>
#include <span>
#include <stdexcept>
#include <string>

#include "engine/types.h"

namespace qdit::capi {

// A copy of *given, where members that its version does not have are zero. least: the size of the first
// version.
template <class Options>
Options read_options(const Options* given, const char* type, std::size_t least) {
  if (given == nullptr) throw std::invalid_argument(std::string("options: got NULL, wanted a ") + type + ".");
  std::size_t size = 0;
  std::memcpy(&size, given, sizeof size);
  if (size < least) {
    throw std::invalid_argument("options: got size " + std::to_string(size) + ", wanted sizeof(" + type +
                                "), which is " + std::to_string(sizeof(Options)) + ".");
  }
  const auto* bytes = reinterpret_cast<const unsigned char*>(given);
  for (std::size_t i = sizeof(Options); i < size; ++i) {
    if (bytes[i] != 0) {
      throw std::invalid_argument(std::string("options: this ") + type +
                                  " is of a newer qdit.h and asks for what this library does not have. "
                                  "Leave the new members zero, or use a newer library.");
    }
  }
  Options options{};
  std::memcpy(&options, given, std::min(size, sizeof(Options)));
  return options;
}

// What `wanted` has at the number; the first is the default.
template <class T>
T choice(const char* name, std::int32_t got, std::initializer_list<T> wanted) {
  if (got >= 0 && static_cast<std::size_t>(got) < wanted.size()) return wanted.begin()[got];
  throw std::invalid_argument(std::string(name) + ": got " + std::to_string(got) + ", wanted 0 .. " +
                              std::to_string(wanted.size() - 1) + ".");
}

template <class T>
T at_least(const char* name, T got, T least) {
  if (got >= least) return got;
  throw std::invalid_argument(std::string(name) + ": got " + std::to_string(got) + ", wanted at least " +
                              std::to_string(least) + ".");
}

// An array of the caller; NULL is an empty one.
template <class T>
std::span<T> array(const char* name, T* items, Index count) {
  at_least<Index>((std::string(name) + "_count").c_str(), count, 0);
  if (items == nullptr && count > 0) {
    throw std::invalid_argument(std::string(name) + ": got NULL, wanted " + std::to_string(count) +
                                " items.");
  }
  return {items, items == nullptr ? 0 : static_cast<std::size_t>(count)};
}

template <class T>
T* not_null(const char* name, T* pointer) {
  if (pointer == nullptr) throw std::invalid_argument(std::string(name) + ": got NULL.");
  return pointer;
}

}  // namespace qdit::capi
