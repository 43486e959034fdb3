#pragma once
// A model in memory as llama.cpp's converter would store it.

#include "support/tiny_decoder.h"

namespace prescript {

/// `hf` under GGUF's names, its rows as convert_hf_to_gguf.py lays them.
MemoryTensors as_gguf(const MemoryTensors& hf, const DecoderConfig& config);

}  // namespace prescript
