#include "model/frozen_weights.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "support/tiny_decoder.h"

namespace prescript {
namespace {

class FrozenWeightsTest : public testing::Test {
 protected:
  FrozenWeightsTest() : ops_(make_test_cpu_ops()), bench_(*ops_, DType::kFloat32) {}

  FrozenWeights load(const MemoryTensors& tensors,
                     const DecoderConfig& config,
                     DType dtype = DType::kFloat32) {
    return load_weights(*ops_, tensors, config, dtype);
  }

  template <typename Stored>  // a Tensor or a Weight
  void expect_equal(const Stored& found, const Matrix& expected) {
    EXPECT_EQ(bench_.get(found).values, expected.values);
  }

  /// Whether they are those of `hf`.
  void expect_holds(const FrozenWeights& weights, const MemoryTensors& hf, const DecoderConfig& c);

  void refuses(const std::string& message, const MemoryTensors& tensors, const DecoderConfig& c) {
    expect_input_error(ExitCode::kModel, "memory: " + message, [&] { load(tensors, c); });
  }

  std::unique_ptr<Ops> ops_;
  Workbench bench_;
};

void FrozenWeightsTest::expect_holds(const FrozenWeights& weights,
                                     const MemoryTensors& hf,
                                     const DecoderConfig& c) {
  expect_equal(weights.embedding_VD, hf.matrix("model.embed_tokens.weight"));
  expect_equal(weights.final_norm_D, hf.matrix("model.norm.weight"));
  const int64_t HE = c.query_size();
  const int64_t KE = c.kv_size();
  const int64_t F = c.feed_forward_size;
  for (int64_t i = 0; i < c.num_layers; ++i) {
    const LayerWeights& layer = weights.layers[i];
    const auto expect_rows = [&](const Weight& weight, int64_t begin, const std::string& name) {
      const Matrix& expected =
          hf.matrix("model.layers." + std::to_string(i) + "." + name + ".weight");
      EXPECT_EQ(bench_.get(weight, begin, expected.rows).values, expected.values) << name;
    };
    const auto expect_norm = [&](const Tensor& norm, const std::string& name) {
      expect_equal(norm, hf.matrix("model.layers." + std::to_string(i) + "." + name + ".weight"));
    };
    const bool is_last = i + 1 == c.num_layers;
    expect_norm(layer.attention_norm_D, "input_layernorm");
    expect_rows(is_last ? layer.query_weight : layer.qkv_weight, 0, "self_attn.q_proj");
    const Weight& keys_in = is_last ? layer.key_value_weight : layer.qkv_weight;
    expect_rows(keys_in, is_last ? 0 : HE, "self_attn.k_proj");
    expect_rows(keys_in, (is_last ? 0 : HE) + KE, "self_attn.v_proj");
    expect_rows(layer.output_weight, 0, "self_attn.o_proj");
    expect_norm(layer.ffn_norm_D, "post_attention_layernorm");
    expect_rows(layer.gate_up_weight, 0, "mlp.gate_proj");
    expect_rows(layer.gate_up_weight, F, "mlp.up_proj");
    expect_rows(layer.down_weight, 0, "mlp.down_proj");
  }
}

TEST_F(FrozenWeightsTest, OfEitherFileStandInTheOrderOfHuggingFace) {
  const DecoderConfig c = tiny_config();
  const MemoryTensors hf = random_llama(c);
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    const FrozenWeights from_hf = load(hf, c, dtype);
    const FrozenWeights from_gguf = load(as_gguf(hf, c), c, dtype);
    for (const FrozenWeights* weights : {&from_hf, &from_gguf}) {
      EXPECT_EQ(weights->dtype, dtype);
      expect_holds(*weights, hf, c);
      expect_equal(weights->head_VD, hf.matrix("lm_head.weight"));
    }
  }
}

TEST_F(FrozenWeightsTest, OfGgufHaveARotaryPairSideBySideInTheFile) {
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

TEST_F(FrozenWeightsTest, OfATiedHeadAreTheEmbeddingItself) {
  DecoderConfig c = tiny_config();
  c.tied_head = true;
  MemoryTensors tensors = random_llama(c);
  const FrozenWeights weights = load(tensors, c);
  EXPECT_EQ(weights.head_VD.data, weights.embedding_VD.data);
  // A copy of the embedding under the head's name is no other model.
  tensors.set("lm_head.weight", tensors.matrix("model.embed_tokens.weight"));
  EXPECT_NO_THROW(load(tensors, c));
}

TEST_F(FrozenWeightsTest, LargerThanAPieceAreReadWhole) {
  DecoderConfig c = tiny_config();
  c.vocabulary_size = 40000;  // 1.28 million elements
  c.num_layers = 1;
  const MemoryTensors tensors = random_llama(c);
  expect_equal(load(tensors, c).embedding_VD, tensors.matrix("model.embed_tokens.weight"));
}

TEST_F(FrozenWeightsTest, AreRefusedWhenAnyTensorIsMissingOrMisshapen) {
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

TEST_F(FrozenWeightsTest, AreRefusedWhenAnyTensorIsNotReadByTheLayerFunction) {
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
  EXPECT_NO_THROW(load(old, c));
}

TEST_F(FrozenWeightsTest, TakeOneBlockWhoseBytesAreKnownBefore) {
  const DecoderConfig c = tiny_config();
  // V 61, D 32, F 40, H 4, K 2, E 8. Weights have whole panels of 32 rows, and 2 KB behind them.
  const auto expected = [](size_t element, size_t heads) {
    const auto weight = [element](size_t rows) { return element * rows * 32 + 2048; };
    const size_t layer = 2 * element * 32 + weight(64) + weight(32) + weight(96) +
                         element * 32 * 40 + 2048;  // norms, qkv, output, gate and up, down
    const size_t last = layer - weight(64) + 2 * weight(32);
    return heads * weight(64) + 2 * layer + last + element * 32;
  };
  EXPECT_EQ(weight_bytes(c, DType::kFloat32), expected(4, 2));
  EXPECT_EQ(weight_bytes(c, DType::kBFloat16), expected(2, 2));
  DecoderConfig tied = c;
  tied.tied_head = true;
  EXPECT_EQ(weight_bytes(tied, DType::kFloat32), expected(4, 1));
  const FrozenWeights weights = load(random_llama(c), c);
  EXPECT_EQ(weights.bytes, expected(4, 2));
  const auto* begin = static_cast<const std::byte*>(weights.block.get());
  EXPECT_EQ(static_cast<const std::byte*>(weights.head_VD.data) + weights.head_VD.bytes(),
            begin + weights.bytes);
}

}  // namespace
}  // namespace prescript
