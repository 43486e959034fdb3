#pragma once
// Runs normalisers and pre-tokenisers: what changes a text and cuts it into the words that the
// model never merges across.

#include <optional>
#include <string>
#include <vector>

#include "text/aligned_text.h"
#include "text/character_map.h"
#include "text/regex.h"
#include "text/text_step.h"

namespace prescript {

/// Immutable; may be used by several threads at once.
class TextSteps {
 public:
  /// Throws InputError(kModel) "place: ..." for a pattern that is not supported, or a damaged
  /// table.
  TextSteps(const std::vector<TextStep>& steps, const std::string& place);

  /// Takes the words of `text` (valid UTF-8) through all steps, as `tokenizers` does. They hold all
  /// of it but for what a split with kRemoved leaves out. Throws InputError(kData) where they make
  /// more than 2^31 - 2 bytes of it.
  void apply(AlignedText& text, Regex::Workspace& workspace) const;

 private:
  struct Step {
    TextStep description;
    std::optional<Regex> regex;
    std::optional<CharacterMap> map;
  };
  static void split(const Step& step, AlignedText& text, Regex::Workspace& workspace);
  static void replace(const Step& step, AlignedText& text, Regex::Workspace& workspace);
  static void map_characters(const Step& step, AlignedText& text, Regex::Workspace& workspace);
  static void prepend(const TextStep& step, AlignedText& text);

  std::vector<Step> steps_;
};

}  // namespace prescript
