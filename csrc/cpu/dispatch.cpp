#include "cpu/dispatch.h"

#include <cstdlib>
#include <stdexcept>

#if defined(QDIT_BUILD_X86)
#include <cpuid.h>
#endif

namespace qdit::cpu {
namespace {

#if defined(QDIT_BUILD_X86)
bool has_f16c() {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}

// __builtin_cpu_supports also asks whether the operating system saves the wide registers.
bool runs_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c(); }

bool runs_avx512() {
  return runs_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}

bool runs_avx512vnni() { return runs_avx512() && __builtin_cpu_supports("avx512vnni"); }
#endif

struct Level {
  const Kernels* kernels;
  bool supported;
};

std::vector<Level> levels() {
  std::vector<Level> all{{baseline_kernels(), true}};
#if defined(QDIT_BUILD_X86)
  all.push_back({avx2_kernels(), runs_avx2()});
  all.push_back({avx512_kernels(), runs_avx512()});
  all.push_back({avx512vnni_kernels(), runs_avx512vnni()});
#endif
#if defined(QDIT_BUILD_NEON)
  all.push_back({neon_kernels(), true});  // part of every aarch64
#endif
  return all;
}

std::string join(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

std::vector<std::string> built_levels() {
  std::vector<std::string> names;
  for (const auto& level : levels()) names.emplace_back(level.kernels->name);
  return names;
}

std::vector<std::string> supported_levels() {
  std::vector<std::string> names;
  for (const auto& level : levels()) {
    if (level.supported) names.emplace_back(level.kernels->name);
  }
  return names;
}

const Kernels& select_kernels(const std::string& level) {
  std::string wanted = level;
  std::string source = "simd";
  if (wanted.empty()) {
    const char* forced = std::getenv("QDIT_SIMD");
    if (forced != nullptr && *forced != '\0') {
      wanted = forced;
      source = "QDIT_SIMD";
    }
  }
  const Kernels* best = nullptr;
  for (const auto& candidate : levels()) {
    if (!candidate.supported) continue;
    if (wanted.empty() || wanted == candidate.kernels->name) best = candidate.kernels;
  }
  if (best == nullptr) {
    throw std::invalid_argument(source + ": got \"" + wanted + "\", and this processor can run " +
                                join(supported_levels()) + " of the built " + join(built_levels()) + ".");
  }
  return *best;
}

}  // namespace qdit::cpu
