#pragma once
// What a tokenizer made of a text.

#include <cstdint>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "text/tokenizer.h"

namespace prescript {

inline std::vector<int32_t> ids_of(const std::vector<Token>& tokens) {
  std::vector<int32_t> ids;
  ids.reserve(tokens.size());
  for (const Token& token : tokens) ids.push_back(token.id);
  return ids;
}

/// Ranges follow each other without a hole and cover the text.
inline void expect_tiled(const std::vector<Token>& tokens, std::string_view text) {
  size_t end = 0;
  for (const Token& token : tokens) {
    ASSERT_EQ(token.begin, end) << text;
    ASSERT_LE(token.begin, token.end) << text;
    end = token.end;
  }
  if (!tokens.empty()) {
    ASSERT_EQ(end, text.size()) << text;
  }
}

}  // namespace prescript
