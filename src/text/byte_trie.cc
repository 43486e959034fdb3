#include "text/byte_trie.h"

namespace prescript {

void ByteTrie::insert(std::string_view text, int32_t value) {
  begins_[static_cast<unsigned char>(text[0])] = true;
  uint32_t node = 0;
  for (char byte : text) {
    const auto [child, is_new] =
        children_.try_emplace(edge(node, byte), static_cast<uint32_t>(values_.size()));
    if (is_new) values_.push_back(kNoToken);
    node = child->second;
  }
  values_[node] = value;
}

}  // namespace prescript
