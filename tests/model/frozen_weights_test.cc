#include "model/frozen_weights.h"

#include <gtest/gtest.h>

#include "support/as_gguf.h"
#include "support/expect_error.h"
#include "support/tiny_decoder.h"

namespace prescript {
namespace {

using Weights = std::unique_ptr<FrozenWeights>;

constexpr WeightFormat kFormats[] = {
    WeightFormat::kConverted, WeightFormat::kAsStored, WeightFormat::kStreamed};

class FrozenWeightsTest : public testing::Test {
 protected:
  FrozenWeightsTest() : ops_(make_cpu_ops(2)), bench_(*ops_, DType::kFloat32) {}

  /// `tensors` must outlive the result.
  Weights load(const MemoryTensors& tensors,
               const DecoderConfig& config,
               DType dtype = DType::kFloat32,
               WeightFormat format = WeightFormat::kConverted) {
    return load_weights(*ops_, tensors, config, dtype, format);
  }

  template <typename Stored>  // a Tensor or a Weight
  void expect_equal(const Stored& found, const Matrix& expected) {
    EXPECT_EQ(bench_.get(found).values, expected.values);
  }

  /// Whether they are those of `hf`.
  void expect_holds(FrozenWeights& weights, const MemoryTensors& hf, const DecoderConfig& c);
  void expect_layer(FrozenWeights& weights,
                    int64_t layer,
                    const MemoryTensors& hf,
                    const DecoderConfig& c);

  void expect_head(FrozenWeights& weights, const Matrix& expected) {
    const WeightRows head = weights.head_VD();
    EXPECT_EQ(head.shape().rows, expected.rows);
    int64_t seen = 0;
    head.for_ranges([&](int64_t begin, const Weight& rows) {
      EXPECT_EQ(begin, seen);
      expect_equal(rows, expected.row_range(begin, rows.rows));
      seen += rows.rows;
    });
    EXPECT_EQ(seen, expected.rows);
  }

  Matrix embedded(FrozenWeights& weights,
                  std::span<const Tensor> prompts,
                  const std::vector<Row>& rows,
                  int64_t cols) {
    const Tensor x = bench_.take(static_cast<int64_t>(rows.size()), cols, weights.dtype());
    weights.embed(prompts, rows, x);
    return bench_.get(x);
  }

  std::unique_ptr<Ops> ops_;
  Workbench bench_;
};

void FrozenWeightsTest::expect_holds(FrozenWeights& weights,
                                     const MemoryTensors& hf,
                                     const DecoderConfig& c) {
  std::vector<Row> tokens;
  for (int32_t id = 0; id < c.vocabulary_size; ++id) tokens.push_back(Row::token(id));
  EXPECT_EQ(embedded(weights, {}, tokens, c.hidden_size).values,
            hf.matrix("model.embed_tokens.weight").values);
  expect_equal(weights.final_norm_D(), hf.matrix("model.norm.weight"));
  for (int64_t layer = 0; layer < c.num_layers; ++layer) expect_layer(weights, layer, hf, c);
  expect_head(weights, hf.matrix("lm_head.weight"));
}

void FrozenWeightsTest::expect_layer(FrozenWeights& weights,
                                     int64_t layer,
                                     const MemoryTensors& hf,
                                     const DecoderConfig& c) {
  const auto matrix = [&](const std::string& name) -> const Matrix& {
    return hf.matrix("model.layers." + std::to_string(layer) + "." + name + ".weight");
  };
  const auto expect = [&](Projection which, const std::vector<std::string>& names) {
    const Weight weight = weights.projection(layer, which);
    int64_t begin = 0;
    for (const std::string& name : names) {
      const Matrix& expected = matrix(name);
      EXPECT_EQ(bench_.get(weight, begin, expected.rows).values, expected.values) << name;
      begin += expected.rows;
    }
    EXPECT_EQ(weight.rows, begin);
  };
  if (layer + 1 == c.num_layers) {
    expect(Projection::kQuery, {"self_attn.q_proj"});
    expect(Projection::kKeyValue, {"self_attn.k_proj", "self_attn.v_proj"});
  } else {
    expect(Projection::kQueryKeyValue,
           {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"});
  }
  expect(Projection::kOutput, {"self_attn.o_proj"});
  expect(Projection::kGateUp, {"mlp.gate_proj", "mlp.up_proj"});
  expect(Projection::kDown, {"mlp.down_proj"});
  expect_equal(weights.vector(layer, LayerVector::kAttentionNorm), matrix("input_layernorm"));
  expect_equal(weights.vector(layer, LayerVector::kFeedForwardNorm),
               matrix("post_attention_layernorm"));
}

TEST_F(FrozenWeightsTest, OfEitherFileStandInTheOrderOfHuggingFace) {
  const DecoderConfig c = tiny_config();
  const MemoryTensors hf = random_llama(c);
  const MemoryTensors gguf = as_gguf(hf, c);
  for (const MemoryTensors* tensors : {&hf, &gguf}) {
    for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
      for (const WeightFormat format : kFormats) {
        const Weights weights = load(*tensors, c, dtype, format);
        EXPECT_EQ(weights->dtype(), dtype);
        expect_holds(*weights, hf, c);
      }
    }
  }
}

TEST_F(FrozenWeightsTest, OfATiedHeadAreTheEmbeddingItself) {
  DecoderConfig c = tiny_config();
  c.tied_head = true;
  MemoryTensors tensors = random_llama(c);
  // A copy of the embedding under the head's name is no other model.
  tensors.set("lm_head.weight", tensors.matrix("model.embed_tokens.weight"));
  for (const WeightFormat format : kFormats) {
    expect_head(*load(tensors, c, DType::kFloat32, format),
                tensors.matrix("model.embed_tokens.weight"));
  }
}

TEST_F(FrozenWeightsTest, OfALargeVocabularyComeInRangesAndAreWhole) {
  DecoderConfig c = tiny_config();
  c.vocabulary_size = 2 * WeightRows::kMaxRows + 70;
  c.num_layers = 1;
  const MemoryTensors tensors = random_llama(c);
  for (const WeightFormat format : kFormats) {
    expect_holds(*load(tensors, c, DType::kFloat32, format), tensors, c);
  }
}

TEST_F(FrozenWeightsTest, EmbedTokensBetweenVirtualOnes) {
  const DecoderConfig c = tiny_config();
  const MemoryTensors tensors = random_llama(c);
  const Matrix& embedding = tensors.matrix("model.embed_tokens.weight");
  const Matrix prompt = random_matrix(2, c.hidden_size, "prompt");
  std::vector<float> narrow(prompt.values.begin(), prompt.values.end());
  const Tensor prompt_PD{narrow.data(), DType::kFloat32, 2, c.hidden_size, c.hidden_size};
  const std::vector<Row> rows = {
      Row::token(60), Row::virtual_token(0, 1), Row::token(0), Row::token(60)};
  Matrix expected(4, c.hidden_size);
  for (const auto& [to, from] :
       {std::pair{0, embedding.row(60)}, {1, prompt.row(1)}, {2, embedding.row(0)}}) {
    std::copy_n(from, c.hidden_size, expected.row(to));
  }
  std::copy_n(embedding.row(60), c.hidden_size, expected.row(3));
  for (const WeightFormat format : kFormats) {
    const Weights weights = load(tensors, c, DType::kFloat32, format);
    EXPECT_EQ(embedded(*weights, std::span(&prompt_PD, 1), rows, c.hidden_size).values,
              expected.values);
    EXPECT_EQ(
        embedded(*weights, std::span(&prompt_PD, 1), {Row::virtual_token(0, 0)}, c.hidden_size)
            .values,
        prompt.row_range(0, 1).values);
  }
}

TEST_F(FrozenWeightsTest, OfAFileWithoutOneOfThemAreRefused) {
  const DecoderConfig c = tiny_config();
  MemoryTensors tensors = random_llama(c);
  tensors.erase("model.norm.weight");
  for (const WeightFormat format : kFormats) {
    expect_input_error(ExitCode::kModel, "memory: tensor model.norm.weight is missing", [&] {
      load(tensors, c, DType::kFloat32, format);
    });
  }
}

}  // namespace
}  // namespace prescript
