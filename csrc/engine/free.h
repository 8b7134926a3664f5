// For memory of std::malloc, which can be made smaller where it lies.
#pragma once

#include <cstdlib>

namespace qdit {

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

}  // namespace qdit
