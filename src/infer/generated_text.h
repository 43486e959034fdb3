#pragma once
// Between a generation's ids and its text: what ends an answer, and what it says.

#include <cstdint>
#include <string>
#include <vector>

#include "infer/base_model_files.h"
#include "infer/generator.h"
#include "text/rendering.h"

namespace prescript {

/// What ends an answer in this rendering: the base's end-of-text ids and the format's, ascending.
std::vector<int32_t> end_tokens_of(const BaseModelFiles& base, const Renderer& renderer);

/// What a generation says: its end token and other special tokens left out.
std::string text_of(const Generation& generation, const Tokenizer& tokenizer);

}  // namespace prescript
