#include "engine/system.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <sstream>
#include <string_view>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>
#endif

namespace qdit {
namespace {

constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();

bool has_word(const std::string& list, std::string_view wanted) {
  std::istringstream words(list);
  for (std::string word; std::getline(words, word, ',');) {
    if (word == wanted) return true;
  }
  return false;
}

// The number a file begins with; none for "max", and where there is no such file.
std::optional<std::int64_t> number_in(const std::string& path) {
  std::ifstream file(path);
  std::int64_t number = 0;
  if (file >> number) return number;
  return std::nullopt;
}

// The sum of the numbers behind these names in a file of names and numbers.
std::optional<std::int64_t> sum_of(const std::string& path, const std::vector<std::string_view>& names) {
  std::ifstream file(path);
  std::optional<std::int64_t> sum;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    std::int64_t number = 0;
    if (!(words >> name >> number)) continue;
    if (std::find(names.begin(), names.end(), name) != names.end()) sum = sum.value_or(0) + number;
  }
  return sum;
}

// This process's group in the hierarchy of a controller, from /proc/self/cgroup; "" where there is none.
// Controllers of version 1 are named there, the hierarchy of version 2 has no name.
std::string group_of(const std::string& root, const std::string& controller) {
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string names = line.substr(first + 1, second - first - 1);
    if (names == controller || has_word(names, controller)) return line.substr(second + 1);
  }
  return "";
}

// The folders of this process's control group and of all that hold it, as far as they are mounted: those of
// the hierarchy of a controller of version 1, or of version 2 for "".
std::vector<std::string> groups(const std::string& root, const std::string& controller) {
  const std::string own = group_of(root, controller);
  if (own.empty()) return {};
  std::vector<std::string> found;
  std::ifstream file(root + "/proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    // 32 31 0:32 /inside /mounted/at options [fields] - type source options-of-the-hierarchy
    std::istringstream words(line);
    std::string skipped;
    std::string inside;
    std::string mounted;
    std::string type;
    std::string options;
    words >> skipped >> skipped >> skipped >> inside >> mounted;
    while (words >> skipped && skipped != "-") {
    }
    words >> type >> skipped >> options;
    if (controller.empty() ? type != "cgroup2" : type != "cgroup" || !has_word(options, controller)) continue;
    // A container may see its own group as the root of what is mounted.
    if (inside == "/") inside.clear();
    const bool within =
        own.rfind(inside, 0) == 0 && (own.size() == inside.size() || own[inside.size()] == '/');
    std::string below = within ? own.substr(inside.size()) : "";
    for (;;) {
      while (!below.empty() && below.back() == '/') below.pop_back();
      found.push_back(root + mounted);
      found.back() += below;
      if (below.empty()) break;
      below.erase(below.rfind('/'));
    }
  }
  return found;
}

// What a group still has of its memory. Its cached files count as used there, and make room when asked to.
std::int64_t left_of(std::int64_t limit, const std::string& usage, const std::string& stat,
                     const std::vector<std::string_view>& cached) {
  const std::int64_t used = number_in(usage).value_or(0) - sum_of(stat, cached).value_or(0);
  return std::max<std::int64_t>(0, limit - std::max<std::int64_t>(0, used));
}

struct GroupMemory {
  std::int64_t limit = kNoLimit;
  std::int64_t left = kNoLimit;
};

GroupMemory group_memory(const std::string& root) {
  GroupMemory found;
  const auto take = [&found](std::int64_t limit, std::int64_t left) {
    found.limit = std::min(found.limit, limit);
    found.left = std::min(found.left, left);
  };
  for (const std::string& group : groups(root, "")) {
    if (const auto limit = number_in(group + "/memory.max")) {
      take(*limit, left_of(*limit, group + "/memory.current", group + "/memory.stat",
                           {"inactive_file", "active_file"}));
    }
  }
  for (const std::string& group : groups(root, "memory")) {
    if (const auto limit = number_in(group + "/memory.limit_in_bytes")) {
      take(*limit, left_of(*limit, group + "/memory.usage_in_bytes", group + "/memory.stat",
                           {"total_inactive_file", "total_active_file"}));
    }
  }
  return found;
}

std::optional<std::int64_t> meminfo(const std::string& root, std::string_view name) {
  const auto kilobytes = sum_of(root + "/proc/meminfo", {name});
  if (!kilobytes) return std::nullopt;
  return *kilobytes * 1024;
}

// What `ulimit -v` leaves.
std::int64_t left_of_address_space(const std::string& root) {
#if defined(__linux__)
  rlimit limit{};
  const auto pages = number_in(root + "/proc/self/statm");
  if (pages && getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    const std::int64_t used = *pages * sysconf(_SC_PAGESIZE);
    return std::max<std::int64_t>(0, static_cast<std::int64_t>(limit.rlim_cur) - used);
  }
#endif
  return kNoLimit;
}

// Processors that a quota of time comes to, one that is not whole counted as one.
int processors_for(std::int64_t quota, std::int64_t period) {
  if (quota <= 0 || period <= 0) return std::numeric_limits<int>::max();
  return static_cast<int>(std::min<std::int64_t>((quota + period - 1) / period, 1 << 20));
}

int group_processors(const std::string& root) {
  int found = std::numeric_limits<int>::max();
  for (const std::string& group : groups(root, "")) {
    std::ifstream file(group + "/cpu.max");
    std::int64_t quota = 0;
    std::int64_t period = 0;
    if (file >> quota >> period) found = std::min(found, processors_for(quota, period));
  }
  for (const std::string& group : groups(root, "cpu")) {
    const auto quota = number_in(group + "/cpu.cfs_quota_us");
    const auto period = number_in(group + "/cpu.cfs_period_us");
    if (quota && period) found = std::min(found, processors_for(*quota, *period));
  }
  return found;
}

}  // namespace

int usable_processors(const std::string& root) {
  int found = static_cast<int>(std::thread::hardware_concurrency());
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) found = CPU_COUNT(&set);
#endif
  return std::max(1, std::min(found, group_processors(root)));
}

std::optional<std::int64_t> available_memory(const std::string& root) {
  const std::int64_t limit = std::min(group_memory(root).left, left_of_address_space(root));
  const auto system = meminfo(root, "MemAvailable:");
  if (!system && limit == kNoLimit) return std::nullopt;
  return std::min(system.value_or(kNoLimit), limit);
}

std::optional<std::int64_t> total_memory(const std::string& root) {
  const std::int64_t limit = group_memory(root).limit;
  const auto system = meminfo(root, "MemTotal:");
  if (!system && limit == kNoLimit) return std::nullopt;
  return std::min(system.value_or(kNoLimit), limit);
}

}  // namespace qdit
