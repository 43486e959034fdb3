#pragma once
// The tokenizer inside a GGUF file (keys `tokenizer.ggml.*`).

#include "io/gguf.h"
#include "text/tokenizer_description.h"

namespace prescript {

/// Reads a byte-level BPE tokenizer (`tokenizer.ggml.model` = gpt2). `tokenizer.ggml.pre` names its
/// pre-tokeniser; an absent or unknown name is refused. GGUF knows no normaliser: the text of a
/// model whose own tokenizer normalises (Qwen2: NFC) is taken as it is, as llama.cpp does.
/// Throws InputError(kModel).
TokenizerDescription tokenizer_from_gguf(const GgufFile& file);

}  // namespace prescript
