#pragma once
// What sizes a launch that is to fill the card.

#include <cstdint>

namespace prescript::cuda {

struct CardLimits {
  int64_t multiprocessors = 0;
  int64_t block_shared_bytes = 0;  // the most that a block may have, its own arrays included
};

/// Of the card that launches go to. Throws DeviceError.
CardLimits card_limits();

}  // namespace prescript::cuda
