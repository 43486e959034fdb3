#pragma once
// What the text side hands to the tensor side: sequences of rows, some of them to be predicted.

#include <compare>
#include <cstdint>
#include <vector>

namespace prescript {

/// One input position of the decoder: a token, or a virtual token of a soft prompt.
struct Row {
  static constexpr int32_t kToken = -1;

  int32_t soft_prompt = kToken;  // which soft prompt of the step, or kToken
  int32_t index = 0;             // token id, or index of the virtual token

  static Row token(int32_t id) { return {kToken, id}; }
  static Row virtual_token(int32_t soft_prompt, int32_t index) { return {soft_prompt, index}; }
  bool is_virtual() const { return soft_prompt != kToken; }
  auto operator<=>(const Row&) const = default;
};

/// A whole sequence (soft prompt spliced in) and which of its tokens are targets. Parts of a text
/// are never tokenised alone: rows are the ids of the whole rendering.
struct Sequence {
  std::vector<Row> rows;
  /// Ascending positions of the target tokens in `rows`; position t is predicted by row t - 1, so t
  /// >= 1, and rows[t] is a token.
  std::vector<int32_t> target_positions;
  /// Weight of each target of this sequence in the sum that is differentiated.
  float target_weight = 1.0F;
  /// Ask for the hidden state behind the last row (generation). Without it rows that lead to no
  /// target are not computed.
  bool wants_last_row = false;
};

}  // namespace prescript
