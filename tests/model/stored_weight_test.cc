#include "model/stored_weight.h"

#include <gtest/gtest.h>

#include "support/as_gguf.h"
#include "support/expect_error.h"
#include "support/tiny_decoder.h"

namespace prescript {
namespace {

void refuses(const std::string& message, const MemoryTensors& tensors, const DecoderConfig& c) {
  expect_input_error(ExitCode::kModel, "memory: " + message, [&] { check_weights(tensors, c); });
}

TEST(StoredWeight, AnyRowsAreThoseOfItsTensorsOneBehindTheOther) {
  const DecoderConfig c = tiny_config();
  const MemoryTensors hf = random_llama(c);
  const MemoryTensors gguf = as_gguf(hf, c);
  Matrix expected(0, c.hidden_size);
  for (const char* name : {"q_proj", "k_proj", "v_proj"}) {
    const Matrix& part = hf.matrix(std::string("model.layers.1.self_attn.") + name + ".weight");
    expected.values.insert(expected.values.end(), part.values.begin(), part.values.end());
    expected.rows += part.rows;
  }
  for (const MemoryTensors* tensors : {&hf, &gguf}) {
    const StoredWeight weight =
        StoredWeights(c, kind_of(*tensors, c)).projection(1, Projection::kQueryKeyValue);
    ASSERT_EQ(weight.rows(), expected.rows);
    for (int64_t begin = 0; begin < expected.rows; begin += 5) {
      for (int64_t count = 0; begin + count <= expected.rows; count += 13) {
        std::vector<float> rows(static_cast<size_t>(count * weight.cols));
        weight.read(*tensors, begin, count, rows.data());
        EXPECT_EQ(std::vector<double>(rows.begin(), rows.end()),
                  expected.row_range(begin, count).values);
      }
    }
  }
}

TEST(StoredWeight, OnlyTheLastLayerHasItsQueryByItself) {
  const DecoderConfig c = tiny_config();
  const auto has = [&](int64_t layer, Projection which) {
    const auto all = projections_of(c, layer);
    return std::find(all.begin(), all.end(), which) != all.end();
  };
  for (int64_t layer = 0; layer < c.num_layers; ++layer) {
    const bool is_last = layer + 1 == c.num_layers;
    EXPECT_EQ(has(layer, Projection::kQueryKeyValue), !is_last);
    EXPECT_EQ(has(layer, Projection::kQuery), is_last);
    EXPECT_EQ(has(layer, Projection::kKeyValue), is_last);
  }
}

TEST(StoredWeight, OfGgufHasARotaryPairSideBySideInTheFile) {
  // Guards the oracle above: elements i and i + E/2 of a head are rows 2i and 2i + 1.
  const DecoderConfig c = tiny_config();
  const MemoryTensors hf = random_llama(c);
  const MemoryTensors gguf = as_gguf(hf, c);
  const Matrix& stored = gguf.matrix("blk.1.attn_q.weight");
  const Matrix& q = hf.matrix("model.layers.1.self_attn.q_proj.weight");
  for (int64_t d = 0; d < c.hidden_size; ++d) {
    EXPECT_EQ(stored.at(8 + 2 * 3, d), q.at(8 + 3, d));
    EXPECT_EQ(stored.at(8 + 2 * 3 + 1, d), q.at(8 + 3 + 4, d));
  }
}

TEST(CheckWeights, RefusesAnyTensorThatIsMissingOrMisshapen) {
  const DecoderConfig c = tiny_config();
  for (const MemoryTensors& whole : {random_llama(c), as_gguf(random_llama(c), c)}) {
    for (const std::string& name : whole.names()) {
      // Without its embedding a GGUF is not known as one.
      if (name != "token_embd.weight") {
        MemoryTensors missing = whole;
        missing.erase(name);
        refuses("tensor " + name + " is missing", missing, c);
      }
      MemoryTensors misshapen = whole;
      const Matrix& x = whole.matrix(name);
      misshapen.set(name, Matrix(x.rows, x.cols + 1));
      refuses("tensor " + name + " is [" + std::to_string(x.rows) + ", " +
                  std::to_string(x.cols + 1) + "]",
              misshapen,
              c);
    }
  }
}

TEST(CheckWeights, RefusesAnyTensorThatTheLayerFunctionDoesNotRead) {
  const DecoderConfig c = tiny_config();
  for (const char* name : {"model.layers.0.self_attn.q_proj.bias",
                           "model.layers.1.self_attn.q_norm.weight",
                           "model.layers.3.input_layernorm.weight",
                           "lm_head.bias"}) {
    MemoryTensors more = random_llama(c);
    more.set(name, Matrix(1, 32));
    refuses(std::string("tensor ") + name + " belongs to a variant", more, c);
  }
  MemoryTensors gguf = as_gguf(random_llama(c), c);
  gguf.set("blk.0.attn_q.bias", Matrix(1, 32));
  refuses("tensor blk.0.attn_q.bias belongs to a variant", gguf, c);
  // Old files hold the rotary frequencies, which follow from the configuration.
  MemoryTensors old = random_llama(c);
  old.set("model.layers.0.self_attn.rotary_emb.inv_freq", Matrix(1, 4));
  EXPECT_NO_THROW(check_weights(old, c));
}

TEST(CheckWeights, AHeadThatIsTiedMayStandInTheFileAsACopyOnly) {
  DecoderConfig c = tiny_config();
  c.tied_head = true;
  MemoryTensors tensors = random_llama(c);
  Matrix head = tensors.matrix("model.embed_tokens.weight");
  tensors.set("lm_head.weight", head);
  EXPECT_NO_THROW(check_weights(tensors, c));
  head.values.back() += 1;
  tensors.set("lm_head.weight", head);
  refuses("tensor lm_head.weight is not model.embed_tokens.weight", tensors, c);
  head.rows -= 1;
  head.values.resize(static_cast<size_t>(head.rows * head.cols));
  tensors.set("lm_head.weight", head);
  refuses("tensor lm_head.weight is not model.embed_tokens.weight", tensors, c);
}

}  // namespace
}  // namespace prescript
