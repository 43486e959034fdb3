#include "train/step_rates.h"

#include <cmath>

#include <gtest/gtest.h>

#include "support/fake_card.h"
#include "support/tiny_base.h"
#include "train/tiny_run.h"

namespace prescript {
namespace {

TEST(StepRates, SecondsAreWorkOverRates) {
  Work work;
  work.forward = {.flops = {.products = 600, .attention = 50, .head = 8}, .row_layers = 12};
  work.backward = {.flops = {.products = 700, .attention = 90, .head = 10}, .row_layers = 20};
  StepRates rates{.forward = {.products = 100, .attention = 50, .head = 4, .row_layers = 3},
                  .backward = {.products = 70, .attention = 30, .head = 2, .row_layers = 2}};
  EXPECT_DOUBLE_EQ(seconds_of(work, rates), (6 + 1 + 2 + 4) + (10 + 3 + 5 + 10));
  work.laid_out = 30;
  EXPECT_DOUBLE_EQ(seconds_of(work, rates), 41) << "weights are in memory";
  rates.laid_out = 10;
  EXPECT_DOUBLE_EQ(seconds_of(work, rates), 44);
}

TEST(StepRates, LayingOutIsMeasuredByTheFile) {
  const TemporaryDirectory directory;
  write_tiny_model(directory / "tiny");
  const auto ops = make_cpu_ops(1);
  const auto tensors = open_safetensors_directory(directory / "tiny");
  const DecoderConfig config = decoder_config_from_hf(directory / "tiny");
  const double rate =
      measure_layout_rate(*ops, *tensors, config, DType::kBFloat16, WeightFormat::kAsStored);
  EXPECT_GT(rate, 1e3);
  EXPECT_TRUE(std::isfinite(rate));
}

/// Passes of the tiny exemplars, two of which need the K/V of the first.
Schedule tiny_schedule() {
  const auto exemplars = tiny_exemplars();
  const SoftPrompt prompt = tiny_prompt(4);
  const PromptedBatch batch{pointers(exemplars), prompt.values_PD};
  const auto all = sequences_of(std::span(&batch, 1), 4, PromptPosition::kStart);
  return make_schedule(build_forest(all.sequences, {}, {}), 40);
}

void expect_rates(Ops& ops, const DecoderConfig& config, DType dtype) {
  const Schedule schedule = tiny_schedule();
  ASSERT_FALSE(schedule.kept_runs.empty());
  const StepRates rates = measure_rates(ops, config, dtype, schedule, 1e10);
  for (const PhaseRates& phase : {rates.forward, rates.backward}) {
    for (const double rate : {phase.products, phase.attention, phase.head, phase.row_layers}) {
      EXPECT_GT(rate, 1e3);
      EXPECT_TRUE(std::isfinite(rate));
    }
  }
}

TEST(StepRates, AreMeasuredForAModelOfAnySize) {
  TinyBase tiny(make_cpu_ops(1), DType::kFloat32);
  const DecoderConfig large{.family = "llama",
                            .vocabulary_size = 128256,
                            .hidden_size = 8192,
                            .feed_forward_size = 28672,
                            .num_layers = 80,
                            .num_heads = 64,
                            .num_kv_heads = 8,
                            .head_size = 128,
                            .rotary_size = 128,
                            .max_positions = 8192,
                            .norm_epsilon = 1e-5,
                            .rope = {.theta = 10000},
                            .tied_head = false};
  const auto ops = make_cpu_ops(1);
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    expect_rates(*ops, tiny.decoder().config(), dtype);
    expect_rates(*ops, large, dtype);
  }
  FakeCard card;  // whose loops are not scaled down
  expect_rates(card, tiny.decoder().config(), DType::kBFloat16);
}

}  // namespace
}  // namespace prescript
