#include "text/tokenizer_identity.h"

#include <algorithm>
#include <bit>

#include "base/hash.h"

namespace prescript {
namespace {

class Canonical {
 public:
  /// Lengths make the form unambiguous.
  Canonical& field(std::string_view text) {
    hash_.update(std::to_string(text.size()) + ":");
    hash_.update(text);
    return *this;
  }
  Canonical& field(int64_t number) { return field(std::to_string(number)); }
  std::string hex() { return hash_.hex(); }

 private:
  Sha256 hash_;
};

/// Without the pieces at the end that no text can become: converters pad vocabularies with them.
size_t num_used_pieces(const TokenizerDescription& description) {
  size_t count = 0;
  for (const AddedToken& token : description.added_tokens) {
    count = std::max(count, static_cast<size_t>(token.id) + 1);
  }
  size_t end = description.pieces.size();
  while (end > count && !description.pieces[end - 1].in_model) --end;
  return end;
}

}  // namespace

std::string tokenizer_identity(const TokenizerDescription& description) {
  Canonical canonical;
  canonical.field("prescript tokenizer 2");

  const size_t num_pieces = num_used_pieces(description);
  canonical.field(static_cast<int64_t>(num_pieces));
  const bool is_scored = description.model != TokenizerModel::kBpe;
  for (size_t id = 0; id < num_pieces; ++id) {
    canonical.field(description.pieces[id].text);
    if (is_scored) canonical.field(std::bit_cast<int64_t>(description.pieces[id].score));
  }

  canonical.field(static_cast<int64_t>(description.merges.size()));
  for (const auto& [left, right] : description.merges) canonical.field(left).field(right);

  std::vector<AddedToken> added = description.added_tokens;
  std::sort(added.begin(), added.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  canonical.field(static_cast<int64_t>(added.size()));
  for (const AddedToken& token : added) {
    // Without a normaliser, when a token is matched matters only beside tokens of the other kind.
    canonical.field(token.id).field(token.special).field(token.lstrip).field(token.rstrip);
    if (!description.normalizer.empty()) canonical.field(token.normalized);
  }

  for (const auto* steps : {&description.normalizer, &description.pre_tokenizer}) {
    canonical.field(static_cast<int64_t>(steps->size()));
    for (const TextStep& step : *steps) {
      canonical.field(static_cast<int64_t>(step.kind))
          .field(static_cast<int64_t>(step.matches))
          .field(step.pattern)
          .field(static_cast<int64_t>(step.behavior))
          .field(step.invert)
          .field(step.content);
    }
  }

  canonical.field(static_cast<int64_t>(description.model));
  canonical.field(description.ignore_merges)
      .field(description.byte_fallback)
      .field(description.unknown_token.value_or(-1))
      .field(description.fuse_unknown);
  canonical.field(description.adds_bos ? *description.bos_token : -1);
  return canonical.hex();
}

}  // namespace prescript
