#pragma once
// Texts by their bytes: which of them begin at a place of another text.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/word_token.h"

namespace prescript {

class ByteTrie {
 public:
  /// `value` is not negative. `text` is not empty; the last value of equal texts counts.
  void insert(std::string_view text, int32_t value);

  /// Calls found(end, value) for every inserted text that is text[begin, end), the shortest first.
  template <typename Found>
  void find_at(std::string_view text, size_t begin, const Found& found) const {
    if (begin >= text.size() || !begins_[static_cast<unsigned char>(text[begin])]) return;
    uint32_t node = 0;
    for (size_t end = begin; end < text.size();) {
      const auto child = children_.find(edge(node, text[end]));
      if (child == children_.end()) return;
      node = child->second;
      ++end;
      if (values_[node] != kNoToken) found(end, values_[node]);
    }
  }

 private:
  static uint64_t edge(uint32_t node, char byte) {
    return static_cast<uint64_t>(node) << 8 | static_cast<unsigned char>(byte);
  }

  std::array<bool, 256> begins_{};
  std::unordered_map<uint64_t, uint32_t> children_;  // edge -> node; the root is 0
  std::vector<int32_t> values_{kNoToken};            // of each node
};

}  // namespace prescript
