#pragma once
// A seed that nobody can make anew, for the random streams whose numbers must stay secret.

#include <cstdint>

namespace prescript {

/// 64 bits of the operating system's entropy. Throws DeviceError when it has none.
uint64_t secret_seed();

}  // namespace prescript
