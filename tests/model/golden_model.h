#pragma once
// Tiny models whose logits transformers computed, as scripts/golden writes them.

#include <string>

#include "io/safetensors.h"
#include "support/tiny_decoder.h"

namespace prescript {

struct GoldenModel {
  DecoderConfig config;
  MemoryTensors weights;
  std::vector<Row> rows;  // ids
  Matrix logits;          // [ids, V]
};

/// `expected` holds `ids` and `logits`; beside it lies the model.
GoldenModel read_golden_model(const std::string& dir, const std::string& expected);

/// A float32 tensor; a vector is a column.
Matrix read_matrix(const SafetensorsFile& file, const char* name);

/// Of every row of one sequence.
Matrix logits_of(Decoder& decoder, const std::vector<Row>& rows);

}  // namespace prescript
