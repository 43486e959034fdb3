#pragma once
// What a model makes of a word.

#include <cstddef>
#include <cstdint>

namespace prescript {

inline constexpr int32_t kNoToken = -1;

/// A token and where its first byte lies in the word.
struct WordToken {
  int32_t id;
  size_t begin;

  bool operator==(const WordToken&) const = default;
};

}  // namespace prescript
