// What the machine, and the container around this process, have to offer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace qdit {

// Processors that this process may run on, no more than its control groups pay for. root: of the file system
// in which /proc and /sys/fs/cgroup are looked for, another one in tests.
int usable_processors(const std::string& root = "");
// Bytes that can be had without swapping, within the limits of the control groups and of the address space;
// none where the system does not say.
std::optional<std::int64_t> available_memory(const std::string& root = "");
// Bytes there are at all, or that the control groups allow.
std::optional<std::int64_t> total_memory(const std::string& root = "");

}  // namespace qdit
