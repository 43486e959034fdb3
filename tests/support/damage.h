#pragma once
// Damaged copies of a valid file, the same in every run.

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string>

#include "base/random.h"

namespace prescript {

/// Copy number `index` of `bytes`: up to four flipped bits, or a cut, or eight bytes overwritten
/// with a number that parsers dislike. Changes fall into the first `reach` bytes.
inline std::string damaged(std::string bytes, uint64_t index, size_t reach) {
  RandomStream random(20, "damage", index);
  const size_t size = std::min(reach, bytes.size());
  switch (random.below(3)) {
    case 0:
      for (uint64_t i = 0, flips = 1 + random.below(4); i < flips; ++i)
        bytes[random.below(size)] ^= static_cast<char>(1 << random.below(8));
      return bytes;
    case 1:
      return bytes.substr(0, random.below(size));
    default: {
      const uint64_t numbers[] = {
          0, 1, ~uint64_t{0}, uint64_t{1} << 63, uint64_t{1} << 32, random.next_u64()};
      const uint64_t number = numbers[random.below(std::size(numbers))];
      const size_t at = random.below(size);
      for (size_t i = 0; i < 8 && at + i < bytes.size(); ++i)
        bytes[at + i] = static_cast<char>(number >> 8 * i);
      return bytes;
    }
  }
}

}  // namespace prescript
