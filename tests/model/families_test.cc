// Tiny models of every family against what transformers computed in float64
// (scripts/golden/families.py): logits, the loss and its gradient at a soft prompt.

#include <functional>

#include <gtest/gtest.h>

#include "model/golden_model.h"
#include "support/as_gguf.h"
#include "support/source_directory.h"
#include "support/tolerance.h"

namespace prescript {
namespace {

constexpr int32_t kNumTargets = 12;

struct Golden : GoldenModel {
  Matrix prompt;
  double loss = 0;
  Matrix gradient;
};

Golden golden(const std::string& name) {
  const std::string dir = source_directory() + "/tests/golden/families/" + name;
  Golden result{read_golden_model(dir, "expected.safetensors"), {}, 0, {}};
  const auto file = SafetensorsFile::open(dir + "/expected.safetensors");
  result.prompt = read_matrix(*file, "prompt");
  result.loss = read_matrix(*file, "loss").at(0, 0);
  result.gradient = read_matrix(*file, "gradient");
  return result;
}

struct Errors {
  double logits = 0;  // all relative
  double loss = 0;
  double gradient = 0;
};

Errors errors_of(const Backend& backend,
                 const Golden& golden,
                 const TensorSource& weights,
                 int64_t max_rows = 1000) {
  TinyDecoder tiny(backend, golden.config, weights);
  Sequence sequence;
  for (int32_t p = 0; p < golden.prompt.rows; ++p) {
    sequence.rows.push_back(Row::virtual_token(0, p));
  }
  sequence.rows.insert(sequence.rows.end(), golden.rows.begin(), golden.rows.end());
  const auto num_rows = static_cast<int32_t>(sequence.rows.size());
  for (int32_t i = num_rows - kNumTargets; i < num_rows; ++i) {
    sequence.target_positions.push_back(i);
  }
  sequence.target_weight = 1.0F / kNumTargets;
  const StepResult step = tiny.differentiate(
      {sequence}, {golden.prompt}, {.forest = {}, .plan = {.max_rows = max_rows}});
  return {.logits = tolerance::row_error(logits_of(tiny.decoder(), golden.rows), golden.logits),
          .loss = std::abs(step.loss / golden.loss - 1),
          .gradient = tolerance::norm_error(step.gradients.at(0).values, golden.gradient.values)};
}

/// What is switched off, and how.
struct Feature {
  std::string name;
  std::function<void(Golden&)> switch_off;
};

struct FamilyCase {
  std::string name;
  std::vector<Feature> features;

  friend void PrintTo(const FamilyCase& test, std::ostream* out) { *out << test.name; }
};

/// Sets every tensor whose name ends so to `value`.
Feature without(const std::string& end, double value = 0) {
  return {end, [end, value](Golden& golden) {
            for (const std::string& name : golden.weights.names()) {
              if (!name.ends_with(end)) continue;
              const Matrix& x = golden.weights.matrix(name);
              golden.weights.set(name, Matrix(x.rows, x.cols, value));
            }
          }};
}

/// Changes the configuration.
Feature otherwise(const std::string& name, const std::function<void(DecoderConfig&)>& change) {
  return {name, [change](Golden& golden) { change(golden.config); }};
}

const Feature kScaling =
    otherwise("rope scaling", [](DecoderConfig& c) { c.rope = {.theta = c.rope.theta}; });
const Feature kAttentionFactor =
    otherwise("attention factor", [](DecoderConfig& c) { c.rope.attention_factor = 1; });
const Feature kPartialRotary = otherwise("partial rotary", [](DecoderConfig& c) {
  c.rotary_size = c.head_size;
  c.rope = {.theta = c.rope.theta};
});
const Feature kWindow = otherwise("window", [](DecoderConfig& c) { c.slides.clear(); });
const Feature kOneMorePosition = otherwise("a longer window", [](DecoderConfig& c) { ++c.window; });
const Feature kLayersOfWindow =
    otherwise("other layers slide", [](DecoderConfig& c) { c.slides.flip(); });
const Feature kActivation =
    otherwise("activation", [](DecoderConfig& c) { c.features.activation = Activation::kSilu; });
const Feature kEmbeddingScale = otherwise(
    "scale of the embedding", [](DecoderConfig& c) { c.features.scaled_embedding = false; });
const Feature kQueryScalar =
    otherwise("query scalar", [](DecoderConfig& c) { c.query_scalar = 0; });
const Feature kDifferences =
    otherwise("norms from 1", [](DecoderConfig& c) { c.features.norms_store_difference = false; });
const Feature kScoreCap = otherwise("score cap", [](DecoderConfig& c) { c.score_cap = 0; });
const Feature kLogitCap = otherwise("logit cap", [](DecoderConfig& c) { c.logit_cap = 0; });
const Feature kLocalRope = otherwise("local rope", [](DecoderConfig& c) { c.local_rope.reset(); });
const Feature kParallel = otherwise("parallel residual", [](DecoderConfig& c) {
  c.features.parallel_residual = !c.features.parallel_residual;
});

const std::vector<FamilyCase> kFamilyCases = {
    {"llama_biases",
     {without("q_proj.bias"),
      without("v_proj.bias"),
      without("o_proj.bias"),
      without("gate_proj.bias"),
      without("up_proj.bias"),
      without("down_proj.bias")}},
    {"llama3", {kScaling}},
    {"linear", {kScaling}},
    {"yarn", {kScaling, kAttentionFactor}},
    {"mistral", {kWindow, kOneMorePosition}},
    {"qwen2", {without("q_proj.bias"), without("k_proj.bias"), without("v_proj.bias")}},
    {"qwen2_window", {kWindow, kOneMorePosition, kLayersOfWindow}},
    {"qwen3", {without("q_norm.weight", 1), without("k_norm.weight", 1)}},
    {"phi3", {kScaling, kAttentionFactor, kPartialRotary, kWindow}},
    {"gemma2",
     {kWindow,
      kLayersOfWindow,
      kActivation,
      kEmbeddingScale,
      kQueryScalar,
      kDifferences,
      kScoreCap,
      kLogitCap,
      without("post_attention_layernorm.weight"),
      without("post_feedforward_layernorm.weight")}},
    {"gemma3",
     {kWindow,
      kLocalRope,
      kScaling,
      kActivation,
      kEmbeddingScale,
      kQueryScalar,
      kDifferences,
      without("q_norm.weight"),
      without("k_norm.weight"),
      without("post_attention_layernorm.weight")}},
    {"gemma3_vision", {kWindow, kLocalRope}},
    {"gpt2",
     {kActivation,
      otherwise("scores by layer",
                [](DecoderConfig& c) { c.features.scores_by_inverse_layer = false; }),
      without("wpe.weight"),
      without("ln_1.bias"),
      without("c_attn.bias"),
      without("c_fc.bias"),
      without("ln_f.bias")}},
    {"gpt_neox",
     {kActivation, kParallel, kPartialRotary, without("dense.bias"), without("norm.bias")}},
    {"gpt_neox_sequential", {kParallel}},
};

class Families : public testing::TestWithParam<FamilyCase> {};
INSTANTIATE_TEST_SUITE_P(Every, Families, testing::ValuesIn(kFamilyCases), [](const auto& test) {
  return test.param.name;
});

TEST_P(Families, EqualTransformers) {
  const Golden expected = golden(GetParam().name);
  for (const Backend& backend : {backends()[0], backends()[1]}) {
    for (const int64_t max_rows : {1000, 20}) {
      const Errors errors = errors_of(backend, expected, expected.weights, max_rows);
      EXPECT_LE(errors.logits, tolerance::kLogitsFloat32) << backend;
      EXPECT_LE(errors.loss, tolerance::kLossFloat32) << backend;
      EXPECT_LE(errors.gradient, tolerance::kGradientFloat32) << backend;
    }
  }
}

TEST_P(Families, EqualTransformersFromAGgufToo) {
  const Golden expected = golden(GetParam().name);
  const Errors errors =
      errors_of(backends()[0], expected, as_gguf(expected.weights, expected.config));
  EXPECT_LE(errors.logits, tolerance::kLogitsFloat32);
  EXPECT_LE(errors.gradient, tolerance::kGradientFloat32);
}

/// Sequences behind one soft prompt that have their first 30 rows in common, or fewer.
std::vector<Sequence> branches(const Golden& golden) {
  std::vector<Sequence> sequences;
  for (const int32_t shared : {30, 30, 12, 41}) {
    Sequence& sequence = sequences.emplace_back();
    for (int32_t p = 0; p < golden.prompt.rows; ++p) {
      sequence.rows.push_back(Row::virtual_token(0, p));
    }
    sequence.rows.insert(sequence.rows.end(), golden.rows.begin(), golden.rows.begin() + shared);
    for (int32_t i = 0; i < 9; ++i) {
      sequence.target_positions.push_back(static_cast<int32_t>(sequence.rows.size()));
      sequence.rows.push_back(Row::token((7 * i + static_cast<int32_t>(sequences.size())) % 61));
    }
    sequence.target_weight = 0.1F;
  }
  return sequences;
}

TEST_P(Families, GiveTheSameNumbersSharedOrRecomputedOrAsStoredOrStreamed) {
  const Golden expected = golden(GetParam().name);
  const auto step = [&](const Backend& backend, const StepOptions& options, WeightFormat format) {
    TinyDecoder tiny(backend, expected.config, expected.weights, format);
    return tiny.differentiate(branches(expected), {expected.prompt}, options);
  };
  const StepResult apart =
      step(backends()[0], {.forest = {.share = false}}, WeightFormat::kConverted);
  for (const Backend& backend : {backends()[0], backends()[1]}) {
    for (const auto& [plan, format] :
         {std::pair{RunPlan{.max_rows = 1000}, WeightFormat::kConverted},
          {RunPlan{.max_rows = 35}, WeightFormat::kConverted},
          {RunPlan{.max_rows = 35, .kept_layers = 0}, WeightFormat::kAsStored},
          {RunPlan{.max_rows = 35, .kept_layers = 0, .rows_together = 1000},
           WeightFormat::kStreamed}}) {
      const StepResult shared = step(backend, {.forest = {}, .plan = plan}, format);
      EXPECT_LT(shared.rows_computed, apart.rows_computed);
      EXPECT_LE(std::abs(shared.loss / apart.loss - 1), tolerance::kLossFloat32) << backend;
      EXPECT_LE(tolerance::norm_error(shared.gradients.at(0).values, apart.gradients.at(0).values),
                tolerance::kGradientFloat32)
          << backend;
    }
  }
}

TEST_P(Families, AreMissedWithoutWhatMakesThem) {
  // What a comparison would not notice it does not prove.
  for (const Feature& feature : GetParam().features) {
    Golden other = golden(GetParam().name);
    feature.switch_off(other);
    const Errors errors = errors_of(backends()[0], other, other.weights);
    EXPECT_GT(errors.logits, 0.01) << feature.name;
    EXPECT_GT(errors.gradient, 0.01) << feature.name;
  }
}

}  // namespace
}  // namespace prescript
