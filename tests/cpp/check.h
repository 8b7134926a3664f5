// The few macros that the C++ tests need: a registry, CHECK and CHECK_THROWS.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

namespace check {

struct Test {
  const char* name;
  void (*body)();
};

inline std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}

inline int& failures() {
  static int count = 0;
  return count;
}

inline bool add(const char* name, void (*body)()) {
  tests().push_back({name, body});
  return true;
}

inline void fail(const char* file, int line, const std::string& what) {
  std::printf("%s:%d: %s\n", file, line, what.c_str());
  ++failures();
}

// Runs all tests, or those whose names contain what QDIT_ONLY says.
inline int run() {
  int failed = 0;
  int ran = 0;
  const char* only = std::getenv("QDIT_ONLY");
  for (const Test& test : tests()) {
    if (only != nullptr && std::string(test.name).find(only) == std::string::npos) continue;
    ++ran;
    const int before = failures();
    try {
      test.body();
    } catch (const std::exception& error) {
      fail(test.name, 0, std::string("threw ") + error.what());
    }
    if (failures() != before) ++failed;
    std::printf("%s %s\n", failures() == before ? "ok    " : "FAILED", test.name);
  }
  std::printf("%d passed, %d failed\n", ran - failed, failed);
  return failed == 0 && ran > 0 ? 0 : 1;
}

}  // namespace check

#define TEST(name)                                               \
  static void name();                                            \
  static const bool registered_##name = check::add(#name, name); \
  static void name()

#define CHECK(condition)                                                        \
  do {                                                                          \
    if (!(condition)) check::fail(__FILE__, __LINE__, "not true: " #condition); \
  } while (false)

// The expression must throw `type` with a message that contains `text`.
#define CHECK_THROWS(expression, type, text)                                              \
  do {                                                                                    \
    bool thrown = false;                                                                  \
    try {                                                                                 \
      expression;                                                                         \
    } catch (const type& error) {                                                         \
      thrown = true;                                                                      \
      if (std::string(error.what()).find(text) == std::string::npos) {                    \
        check::fail(__FILE__, __LINE__, std::string("another message: ") + error.what()); \
      }                                                                                   \
    }                                                                                     \
    if (!thrown) check::fail(__FILE__, __LINE__, "did not throw: " #expression);          \
  } while (false)
