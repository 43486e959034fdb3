#pragma once
// The normalisers and pre-tokenisers that `tokenizer.ggml.pre` names.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/text_step.h"

namespace prescript {

/// What a GGUF file leaves to a name. The steps are those of the models' own tokenizer.json, from
/// which llama.cpp's converter derives the name. `ignore_merges` and `adds_bos` are what llama.cpp
/// (src/llama-vocab.cpp) ties to it.
struct NamedPreTokenizer {
  std::vector<TextStep> normalizer;
  std::vector<TextStep> steps;
  bool ignore_merges = false;
  bool adds_bos = false;
};

/// Nothing for an unknown name.
std::optional<NamedPreTokenizer> pre_tokenizer_of_gguf(std::string_view name);
/// The names that pre_tokenizer_of_gguf knows, for messages.
std::string gguf_pre_tokenizer_names();

}  // namespace prescript
