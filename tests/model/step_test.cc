// A whole step of the decoder against autograd on the unshared sequences.

#include <gtest/gtest.h>

#include "model/batch.h"
#include "support/autograd_llama.h"
#include "support/tiny_decoder.h"
#include "support/tolerance.h"

namespace prescript {
namespace {

const Backend& reference() {
  return backends()[0];
}
const Backend& cpu_float32() {
  return backends()[1];
}
const Backend& cpu_bfloat16() {
  return backends()[2];
}

std::vector<double> flattened(const std::vector<Matrix>& matrices) {
  std::vector<double> values;
  for (const Matrix& x : matrices) values.insert(values.end(), x.values.begin(), x.values.end());
  return values;
}

void expect_equals_autograd(const Backend& backend,
                            const DecoderConfig& config,
                            const Batch& batch,
                            const StepOptions& options = {}) {
  const MemoryTensors weights = random_llama(config);
  TinyDecoder decoder(backend, config, weights);
  const StepResult found = decoder.differentiate(batch.sequences, batch.prompts, options);
  const AutogradResult exact =
      autograd_llama(config, weights, batch.sequences, batch.prompts, DType::kFloat64);
  ASSERT_GE(exact.logit_deviation, 1);
  const bool is_exact = backend.dtype == DType::kFloat64;
  EXPECT_NEAR(
      found.loss / exact.loss, 1, is_exact ? tolerance::kLogProbFloat64 : tolerance::kLossFloat32);
  ASSERT_EQ(found.gradients.size(), exact.gradients.size());
  for (size_t p = 0; p < exact.gradients.size(); ++p) {
    EXPECT_LE(tolerance::norm_error(found.gradients[p].values, exact.gradients[p].values),
              is_exact ? tolerance::kStepFloat64 : tolerance::kGradientFloat32)
        << "soft prompt " << p;
  }
  EXPECT_LE(tolerance::norm_error(found.log_probs, exact.log_probs),
            is_exact ? tolerance::kLogProbFloat64 : tolerance::kLossFloat32);
}

/// Three levels, two soft prompts and unequal leaves.
class StepTest : public testing::TestWithParam<Position> {};
INSTANTIATE_TEST_SUITE_P(Position,
                         StepTest,
                         testing::Values(Position::kStart,
                                         Position::kAfterBos,
                                         Position::kBeforeQuestion),
                         testing::PrintToStringParamName());

TEST_P(StepTest, InOnePassEqualsAutogradInFloat64) {
  expect_equals_autograd(reference(), tiny_config(), three_level_batch({.position = GetParam()}));
}

TEST_P(StepTest, InOnePassEqualsAutogradInFloat32) {
  expect_equals_autograd(cpu_float32(), tiny_config(), three_level_batch({.position = GetParam()}));
}

TEST_P(StepTest, InManyPassesEqualsAutograd) {
  const Batch batch = three_level_batch({.position = GetParam()});
  const StepOptions options{.forest = {.min_saved_rows = 1}, .plan = {.max_rows = 25}};
  expect_equals_autograd(reference(), tiny_config(), batch, options);
  expect_equals_autograd(cpu_float32(), tiny_config(), batch, options);
}

TEST(Step, OfEveryVariantOfTheArchitectureEqualsAutograd) {
  const Batch batch = three_level_batch();
  DecoderConfig tied = tiny_config();
  tied.tied_head = true;
  DecoderConfig full_heads = tiny_config();
  full_heads.num_kv_heads = full_heads.num_heads;
  DecoderConfig one_kv_head = tiny_config();
  one_kv_head.num_kv_heads = 1;
  DecoderConfig rope_base = tiny_config();
  rope_base.rope.theta = 500000;
  DecoderConfig wide_heads = tiny_config();
  wide_heads.head_size = 12;
  wide_heads.rotary_size = 12;
  for (const DecoderConfig& config : {tied, full_heads, one_kv_head, rope_base, wide_heads}) {
    expect_equals_autograd(reference(), config, batch);
  }
}

TEST(Step, OfAnyNumberOfLayersEqualsAutograd) {
  for (const int64_t num_layers : {1, 2, 5}) {
    DecoderConfig config = tiny_config();
    config.num_layers = num_layers;
    for (const int64_t max_rows : {25, 1000}) {
      expect_equals_autograd(reference(),
                             config,
                             three_level_batch(),
                             {.forest = {}, .plan = {.max_rows = max_rows, .kept_layers = 1}});
    }
  }
}

TEST(Step, WhosePassesHoldNoTargetEqualsAutograd) {
  // Passes of one row: most nodes stand alone, some lead to targets of others only.
  Batch batch = three_level_batch();
  for (Sequence& sequence : batch.sequences) {
    sequence.target_positions = {sequence.target_positions.back()};
  }
  weigh_by_prompt(batch.sequences);
  expect_equals_autograd(reference(),
                         tiny_config(),
                         batch,
                         {.forest = {.min_saved_rows = 1}, .plan = {.max_rows = 1}});
}

TEST(Step, BFloat16ErrsAtMostTwiceAsMuchAsPlainLibTorch) {
  const DecoderConfig config = tiny_config();
  const MemoryTensors weights = random_llama(config);
  TinyDecoder decoder(cpu_bfloat16(), config, weights);
  std::vector<double> exact_gradients, found_gradients, plain_gradients;
  std::vector<double> exact_log_probs, found_log_probs, plain_log_probs;
  const auto append = [](std::vector<double>& all, const std::vector<double>& more) {
    all.insert(all.end(), more.begin(), more.end());
  };
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    const Batch batch = three_level_batch({.seed = seed});
    const auto exact =
        autograd_llama(config, weights, batch.sequences, batch.prompts, DType::kFloat64);
    const auto plain =
        autograd_llama(config, weights, batch.sequences, batch.prompts, DType::kBFloat16);
    const auto found = decoder.differentiate(batch.sequences, batch.prompts);
    append(exact_gradients, flattened(exact.gradients));
    append(plain_gradients, flattened(plain.gradients));
    append(found_gradients, flattened(found.gradients));
    append(exact_log_probs, exact.log_probs);
    append(plain_log_probs, plain.log_probs);
    append(found_log_probs, found.log_probs);
  }
  const double plain_error = tolerance::norm_error(plain_gradients, exact_gradients);
  const double found_error = tolerance::norm_error(found_gradients, exact_gradients);
  RecordProperty("gradient_error", std::to_string(found_error));
  RecordProperty("plain_gradient_error", std::to_string(plain_error));
  EXPECT_LE(found_error, tolerance::kTimesPlainBFloat16 * plain_error);
  EXPECT_LE(
      tolerance::norm_error(found_log_probs, exact_log_probs),
      tolerance::kTimesPlainBFloat16 * tolerance::norm_error(plain_log_probs, exact_log_probs));
}

}  // namespace
}  // namespace prescript
