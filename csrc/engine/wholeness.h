// Whether a selection is whole: a commit that is interrupted has raised some maxima and not others.
#pragma once

#include <stdexcept>

namespace qdit {

class Wholeness {
 public:
  void begin() { whole_ = false; }
  void end() { whole_ = true; }
  void check() const {
    if (!whole_) throw std::logic_error("an interrupted commit left the selection half made; reset() first.");
  }

 private:
  bool whole_ = true;
};

}  // namespace qdit
