#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "check.h"
#include "text/ngrams.h"

using namespace qdit;

namespace {

std::vector<double> hashed(const std::vector<std::string>& texts, int threads) {
  std::vector<std::uint32_t> characters;
  std::vector<std::int64_t> ends;
  for (const std::string& text : texts) {
    characters.insert(characters.end(), text.begin(), text.end());
    ends.push_back(static_cast<std::int64_t>(characters.size()));
  }
  std::vector<double> rows(texts.size() * text::kDimensions, -1);
  Interrupt none;
  text::hash_ngrams({characters, ends}, rows.data(), threads, none);
  return rows;
}

}  // namespace

TEST(threads_do_not_show) {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < 1000; ++i)
    texts.push_back("text " + std::to_string(i * i) + std::string(i % 50, 'x'));
  const auto want = hashed(texts, 1);
  for (const int threads : {2, 3, 8}) CHECK(hashed(texts, threads) == want);
}

TEST(a_text_does_not_depend_on_those_before) {
  const std::string text = "bees and bread";
  const auto alone = hashed({text}, 1);
  const auto third = hashed({"", std::string(5000, 'y') + " z", text}, 1);
  CHECK(std::equal(alone.begin(), alone.end(), third.begin() + 2 * text::kDimensions));
  CHECK(std::any_of(alone.begin(), alone.end(), [](double value) { return value != 0; }));
}

TEST(without_letters_there_is_nothing) {
  for (const char* text : {"", " ", "?!.", "  - "}) {
    const auto row = hashed({text}, 1);
    CHECK(std::all_of(row.begin(), row.end(), [](double value) { return value == 0; }));
  }
  CHECK(hashed({}, 2).empty());
}

int main() { return check::run(); }
