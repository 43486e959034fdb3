#include "infer/generated_text.h"

#include <set>

namespace prescript {

std::vector<int32_t> end_tokens_of(const BaseModelFiles& base, const Renderer& renderer) {
  std::set<int32_t> ends(base.end_tokens.begin(), base.end_tokens.end());
  const auto of_format = renderer.end_tokens();
  ends.insert(of_format.begin(), of_format.end());
  return {ends.begin(), ends.end()};
}

std::string text_of(const Generation& generation, const Tokenizer& tokenizer) {
  std::vector<int32_t> ids = generation.ids;
  if (generation.stop == StopReason::kEndOfTurn) ids.pop_back();
  // Models may have more embedding rows than the tokenizer has tokens.
  std::erase_if(ids,
                [&](int32_t id) { return static_cast<size_t>(id) >= tokenizer.vocabulary_size(); });
  return tokenizer.decode(ids, /*skip_special=*/true);
}

}  // namespace prescript
