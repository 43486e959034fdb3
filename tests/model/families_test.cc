// Tiny models of every family against what transformers computed in float64
// (scripts/golden/families.py): logits, the loss and its gradient at a soft prompt.

#include <cstring>
#include <functional>

#include <gtest/gtest.h>

#include "io/safetensors.h"
#include "support/tiny_decoder.h"
#include "support/tolerance.h"

namespace prescript {
namespace {

constexpr int32_t kNumTargets = 12;

struct Golden {
  DecoderConfig config;
  MemoryTensors weights;
  std::vector<Row> rows;
  Matrix logits;
  Matrix prompt;
  double loss = 0;
  Matrix gradient;
};

Golden golden(const std::string& name) {
  const std::string dir = PRESCRIPT_SOURCE_DIR "/tests/golden/families/" + name;
  Golden result;
  result.config = decoder_config_from_hf(dir);
  const auto source = open_safetensors_directory(dir);
  for (const TensorInfo& info : source->list()) {
    Matrix x(info.rows(), info.cols());
    const std::vector<float> values = source->read_all(info.name);
    x.values.assign(values.begin(), values.end());
    result.weights.set(info.name, x);
  }
  const auto file = SafetensorsFile::open(dir + "/expected.safetensors");
  const auto read = [&](const char* tensor, auto element) {
    const auto bytes = file->find(tensor)->bytes;
    std::vector<decltype(element)> values(bytes.size() / sizeof element);
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  };
  const auto matrix = [&](const char* tensor) {
    const auto& shape = file->find(tensor)->shape;
    Matrix x(shape.at(0), shape.size() > 1 ? shape[1] : 1);
    const auto values = read(tensor, float{});
    x.values.assign(values.begin(), values.end());
    return x;
  };
  for (const int64_t id : read("ids", int64_t{})) {
    result.rows.push_back(Row::token(static_cast<int32_t>(id)));
  }
  result.logits = matrix("logits");
  result.prompt = matrix("prompt");
  result.loss = matrix("loss").at(0, 0);
  result.gradient = matrix("gradient");
  return result;
}

struct Errors {
  double logits = 0;  // all relative
  double loss = 0;
  double gradient = 0;
};

Matrix logits_of(Decoder& decoder, const std::vector<Row>& rows) {
  Sequence sequence;
  sequence.rows = rows;
  for (int32_t i = 1; i < static_cast<int32_t>(rows.size()); ++i) {
    sequence.target_positions.push_back(i);
  }
  sequence.wants_last_row = true;
  const Forest forest = build_forest(std::span(&sequence, 1), {}, {});
  const Pass pass = make_schedule(forest, 1000).passes.at(0);
  PassRun run(decoder.ops(), decoder.config(), decoder.dtype(), pass, {}, {});
  decoder.forward(run, {});
  std::vector<int32_t> output_rows;
  for (int32_t i = 0; i < static_cast<int32_t>(rows.size()); ++i) output_rows.push_back(i);
  Workbench bench(decoder.ops(), decoder.dtype());
  const Tensor logits_NV =
      bench.take(std::ssize(rows), decoder.config().vocabulary_size, bench.sums());
  decoder.logits(run, output_rows, logits_NV);
  return bench.get(logits_NV);
}

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

const Feature kScaling = {"rope scaling", [](Golden& golden) {
                            golden.config.rope = {.theta = golden.config.rope.theta};
                          }};
const Feature kAttentionFactor = {"attention factor",
                                  [](Golden& golden) { golden.config.rope.attention_factor = 1; }};
const Feature kPartialRotary = {"partial rotary", [](Golden& golden) {
                                  golden.config.rotary_size = golden.config.head_size;
                                  golden.config.rope = {.theta = golden.config.rope.theta};
                                }};

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
    {"mistral", {without("o_proj.weight")}},
    {"qwen2", {without("q_proj.bias"), without("k_proj.bias"), without("v_proj.bias")}},
    {"qwen3", {without("q_norm.weight", 1), without("k_norm.weight", 1)}},
    {"phi3", {kScaling, kAttentionFactor, kPartialRotary}},
};

class Families : public testing::TestWithParam<FamilyCase> {};
INSTANTIATE_TEST_SUITE_P(Every, Families, testing::ValuesIn(kFamilyCases), [](const auto& test) {
  return test.param.name;
});

TEST_P(Families, EqualTransformers) {
  const Golden expected = golden(GetParam().name);
  for (const Backend& backend : {kBackends[0], kBackends[1]}) {
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
      errors_of(kBackends[0], expected, as_gguf(expected.weights, expected.config));
  EXPECT_LE(errors.logits, tolerance::kLogitsFloat32);
  EXPECT_LE(errors.gradient, tolerance::kGradientFloat32);
}

TEST_P(Families, AreMissedWithoutWhatMakesThem) {
  // What a comparison would not notice it does not prove.
  for (const Feature& feature : GetParam().features) {
    Golden other = golden(GetParam().name);
    feature.switch_off(other);
    const Errors errors = errors_of(kBackends[0], other, other.weights);
    EXPECT_GT(errors.logits, 0.01) << feature.name;
    EXPECT_GT(errors.gradient, 0.01) << feature.name;
  }
}

}  // namespace
}  // namespace prescript
