// What the machine has to offer this process.
#pragma once

#include <cstdint>
#include <optional>

namespace qdit::capi {

int usable_processors();
// Bytes that can be had without swapping; none where the system does not say.
std::optional<std::int64_t> available_memory();

}  // namespace qdit::capi
