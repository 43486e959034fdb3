// The decoder against logits that transformers computed (scripts/golden/decoder.py).

#include "model/decoder.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "model/batch.h"
#include "model/golden_model.h"
#include "support/as_gguf.h"
#include "support/expect_error.h"
#include "support/source_directory.h"
#include "support/tiny_decoder.h"
#include "support/tolerance.h"

namespace prescript {
namespace {

GoldenModel golden(const std::string& variant) {
  return read_golden_model(source_directory() + "/tests/golden/decoder/" + variant,
                           "logits.safetensors");
}

/// A pass over `rows` as one sequence, all of them output rows.
Pass pass_over(const std::vector<Row>& rows) {
  Pass pass;
  pass.rows = rows;
  const auto num_rows = static_cast<int32_t>(rows.size());
  for (int32_t i = 0; i < num_rows; ++i) {
    pass.positions.push_back(i);
    pass.output_rows.push_back(i);
  }
  pass.parts = {{.num_queries = num_rows, .num_keys = num_rows, .causal_offset = 0}};
  pass.output_parts = pass.parts;
  return pass;
}

Matrix logits_of(const Backend& backend,
                 const DecoderConfig& config,
                 const TensorSource& weights,
                 const std::vector<Row>& rows) {
  TinyDecoder tiny(backend, config, weights);
  return logits_of(tiny.decoder(), rows);
}

double error_against_golden(const Backend& backend,
                            const GoldenModel& golden,
                            const DecoderConfig& c) {
  return tolerance::row_error(logits_of(backend, c, golden.weights, golden.rows), golden.logits);
}

class GoldenLogits : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Every,
                         GoldenLogits,
                         testing::Values("grouped", "untied", "rope_base", "full_heads"),
                         [](const auto& test) { return test.param; });

TEST_P(GoldenLogits, OfTransformersAreMet) {
  const GoldenModel expected = golden(GetParam());
  for (const Backend& backend : backends()) {
    if (backend.dtype == DType::kBFloat16) continue;  // step_test judges it beside plain LibTorch
    EXPECT_LE(error_against_golden(backend, expected, expected.config), tolerance::kLogitsFloat32)
        << backend;
  }
}

TEST_P(GoldenLogits, AreMetFromAGgufToo) {
  const GoldenModel expected = golden(GetParam());
  EXPECT_LE(tolerance::row_error(logits_of(backends()[0],
                                           expected.config,
                                           as_gguf(expected.weights, expected.config),
                                           expected.rows),
                                 expected.logits),
            tolerance::kLogitsFloat32);
}

/// What a comparison would not notice it does not prove: each switch of the architecture, turned
/// the wrong way, is far off.
constexpr double kFarOff = 0.1;

TEST(WrongSwitch, TheEmbeddingAsHeadIsRefusedOfAFileThatHoldsAnother) {
  const GoldenModel expected = golden("untied");
  DecoderConfig tied = expected.config;
  tied.tied_head = true;
  expect_input_error(ExitCode::kModel, "lm_head.weight is not model.embed_tokens.weight", [&] {
    error_against_golden(backends()[0], expected, tied);
  });
}

TEST(WrongSwitch, WithoutTheTieATiedHeadIsMissing) {
  const GoldenModel expected = golden("grouped");
  DecoderConfig untied = expected.config;
  untied.tied_head = false;
  expect_input_error(ExitCode::kModel, "lm_head.weight is missing", [&] {
    error_against_golden(backends()[0], expected, untied);
  });
}

TEST(WrongSwitch, AnotherRopeBaseMissesTheLogits) {
  for (const char* variant : {"grouped", "rope_base"}) {
    const GoldenModel expected = golden(variant);
    DecoderConfig other = expected.config;
    other.rope.theta = expected.config.rope.theta == 10000 ? 500000 : 10000;
    EXPECT_GT(error_against_golden(backends()[0], expected, other), kFarOff);
  }
}

TEST(WrongSwitch, AnotherEpsilonMissesTheLogits) {
  const GoldenModel expected = golden("grouped");
  DecoderConfig other = expected.config;
  other.norm_epsilon = 0.5;
  EXPECT_GT(error_against_golden(backends()[0], expected, other), kFarOff);
}

TEST(WrongSwitch, GroupedHeadsThatTakeTurnsOnKeysMissTheLogits) {
  // Head h of 4 reads key/value head h / 2. With the middle query heads exchanged (and the columns
  // of their outputs) it is as if it read head h % 2.
  GoldenModel expected = golden("grouped");
  const int64_t E = expected.config.head_size;
  for (const char* layer : {"model.layers.0.self_attn.", "model.layers.1.self_attn."}) {
    Matrix q = expected.weights.matrix(std::string(layer) + "q_proj.weight");
    Matrix o = expected.weights.matrix(std::string(layer) + "o_proj.weight");
    for (int64_t e = 0; e < E; ++e) {
      std::swap_ranges(q.row(E + e), q.row(E + e) + q.cols, q.row(2 * E + e));
      for (int64_t d = 0; d < o.rows; ++d) std::swap(o.at(d, E + e), o.at(d, 2 * E + e));
    }
    expected.weights.set(std::string(layer) + "q_proj.weight", q);
    expected.weights.set(std::string(layer) + "o_proj.weight", o);
  }
  EXPECT_GT(error_against_golden(backends()[0], expected, expected.config), kFarOff);
}

TEST(WrongSwitch, AsManyKeyHeadsAsQueryHeadsDoNotFitGroupedWeights) {
  const GoldenModel expected = golden("grouped");
  DecoderConfig full = expected.config;
  full.num_kv_heads = full.num_heads;
  expect_input_error(ExitCode::kModel, "k_proj.weight is [16, 32]", [&] {
    error_against_golden(backends()[0], expected, full);
  });
}

TEST(Decoder, LogitsOfChosenRowsAreThoseOfAllRows) {
  const DecoderConfig c = tiny_config();
  TinyDecoder tiny(backends()[1], c, random_llama(c));
  RandomStream stream(1, "rows");
  const Pass pass = pass_over(random_tokens(stream, 9, 61));
  PassRun run(tiny.decoder().ops(), c, DType::kFloat32, pass, {}, {});
  tiny.decoder().forward(run, {});
  Workbench bench(tiny.decoder().ops(), DType::kFloat32);
  const Tensor all = bench.take(9, 61, DType::kFloat32);
  const Tensor chosen = bench.take(3, 61, DType::kFloat32);
  tiny.decoder().logits(run, pass.output_rows, all);
  tiny.decoder().logits(run, std::vector<int32_t>{8, 0, 8}, chosen);
  const Matrix expected = bench.get(all);
  const Matrix found = bench.get(chosen);
  for (int64_t v = 0; v < 61; ++v) {
    EXPECT_NEAR(found.at(0, v), expected.at(8, v), 1e-5);
    EXPECT_NEAR(found.at(1, v), expected.at(0, v), 1e-5);
    EXPECT_EQ(found.at(2, v), found.at(0, v));
  }
}

TEST(Decoder, AsksBeforeEveryLayerWhetherToGoOn) {
  const DecoderConfig c = tiny_config();
  TinyDecoder tiny(backends()[1], c, random_llama(c));
  const Batch batch = three_level_batch();
  int calls = 0;
  tiny.decoder().set_interrupt_check([&] { ++calls; });
  tiny.differentiate(batch.sequences, batch.prompts);
  const int calls_of_a_step = calls;
  EXPECT_GE(calls_of_a_step, 2 * c.num_layers);
  struct Stop {};
  for (int stop = 1; stop <= calls_of_a_step; ++stop) {
    calls = 0;
    tiny.decoder().set_interrupt_check([&] {
      if (++calls == stop) throw Stop();
    });
    EXPECT_THROW(tiny.differentiate(batch.sequences, batch.prompts), Stop);
  }
}

TEST(Decoder, RefusesTheBackwardOfARunThatKeptNothing) {
  const DecoderConfig c = tiny_config();
  TinyDecoder tiny(backends()[0], c, random_llama(c));
  RandomStream stream(1, "rows");
  const Pass pass = pass_over(random_tokens(stream, 3, 61));
  PassRun run(tiny.decoder().ops(), c, DType::kFloat64, pass, {}, {});
  tiny.decoder().forward(run, {});
  EXPECT_THROW(tiny.decoder().backward(run, {}), ContractError);
}

TEST(Decoder, RefusesRowsBeyondItsPositions) {
  DecoderConfig c = tiny_config();
  c.max_positions = 4;
  const MemoryTensors weights = random_llama(c);
  RandomStream stream(1, "rows");
  EXPECT_NO_THROW(logits_of(backends()[0], c, weights, random_tokens(stream, 4, 61)));
  EXPECT_THROW(logits_of(backends()[0], c, weights, random_tokens(stream, 5, 61)), ContractError);
}

}  // namespace
}  // namespace prescript
