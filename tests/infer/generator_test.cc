#include "infer/generator.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "support/tiny_base.h"

namespace prescript {
namespace {

/// The likeliest token behind `rows`, everything computed anew in one causal pass.
int32_t next_token(Decoder& decoder, const std::vector<Row>& rows, const AdapterSet& adapters) {
  const auto num_rows = static_cast<int32_t>(rows.size());
  Pass pass;
  pass.rows = rows;
  for (int32_t i = 0; i < num_rows; ++i) pass.positions.push_back(i);
  pass.parts.push_back({.num_queries = num_rows, .num_keys = num_rows, .causal_offset = 0});
  pass.output_rows = {num_rows - 1};
  pass.output_parts = {{.num_queries = 1, .num_keys = num_rows, .causal_offset = Part::kNoMask}};
  PassRun run(decoder.ops(), decoder.config(), decoder.dtype(), pass, {}, {});
  decoder.forward(run, adapters.prompts_PD());
  std::vector<float> logits(decoder.config().vocabulary_size);
  std::vector<double> wide(logits.size());
  const DType sums = decoder.ops().accumulate_dtype();
  void* const data = sums == DType::kFloat64 ? static_cast<void*>(wide.data()) : logits.data();
  const auto V = static_cast<int64_t>(logits.size());
  const Tensor logits_NV{data, sums, 1, V, V};
  decoder.logits(run, std::vector<int32_t>{0}, logits_NV);
  decoder.ops().download(logits_NV, logits.data());
  return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

std::vector<int32_t> greedy_by_recomputing(TinyBase& base,
                                           const AdapterSet& adapters,
                                           std::vector<Row> rows,
                                           size_t num_tokens) {
  std::vector<int32_t> ids;
  while (ids.size() < num_tokens) {
    ids.push_back(next_token(base.decoder(), rows, adapters));
    rows.push_back(Row::token(ids.back()));
  }
  return ids;
}

void add_adapters(AdapterSet& adapters) {
  adapters.add("root", tiny_adapter(5, 1));
  adapters.add("other root", tiny_adapter(7, 2));
  adapters.add("inside", tiny_adapter(3, 3, PromptPosition::kBeforeQuestion));
}

/// Requests of unequal length under no adapter, two roots and one that stands inside; two are
/// equal.
std::vector<GenerationRequest> requests() {
  const std::string instruction = "Answer the medical question. ";
  std::vector<GenerationRequest> result;
  result.push_back({"base", tiny_rows(instruction + "What is pain?")});
  result.push_back({"first", tiny_rows(instruction + "What is pain?", 0, 5)});
  result.push_back({"second", tiny_rows(instruction + "Why do I cough at night?", 0, 5)});
  result.push_back({"third", tiny_rows(instruction + "What is pain?", 1, 7)});
  result.push_back({"prefix of first", tiny_rows(instruction, 0, 5)});
  result.push_back({"equal to second", tiny_rows(instruction + "Why do I cough at night?", 0, 5)});
  auto inside = tiny_rows(instruction);
  for (const Row& row : tiny_rows("And now?", 2, 3)) inside.push_back(row);
  result.push_back({"inside", inside});
  return result;
}

GenerationOptions greedy(int64_t max_new_tokens) {
  return {.max_new_tokens = max_new_tokens};
}

TEST(Generator, GreedyTextEqualsRecomputingEverythingForEachTokenInFloat64) {
  for (const int64_t window : {0, 11}) {
    SCOPED_TRACE(window);
    const TinyModelOptions model{.window = window};
    TinyBase base(make_cpu_ops(1), DType::kFloat32, model);
    AdapterSet adapters(base.decoder());
    add_adapters(adapters);
    TinyBase reference(make_reference_ops(), DType::kFloat64, model);
    AdapterSet reference_adapters(reference.decoder());
    add_adapters(reference_adapters);

    const auto all = requests();
    const auto found = generate(base.decoder(), adapters, all, greedy(24));
    ASSERT_EQ(found.size(), all.size());
    for (size_t i = 0; i < all.size(); ++i) {
      EXPECT_EQ(found[i].ids, greedy_by_recomputing(reference, reference_adapters, all[i].rows, 24))
          << all[i].id;
      EXPECT_EQ(found[i].stop, StopReason::kLength);
    }
  }
}

TEST(Generator, CompanyBatchesAndPassesDoNotChangeAText) {
  TinyBase base(make_cpu_ops(1), DType::kFloat32);
  AdapterSet adapters(base.decoder());
  add_adapters(adapters);
  const auto all = requests();
  const auto together = generate(base.decoder(), adapters, all, greedy(16));
  auto narrow = greedy(16);
  narrow.max_pass_rows = 10;
  narrow.max_kept_rows = 100;
  const auto divided = generate(base.decoder(), adapters, all, narrow);
  for (size_t i = 0; i < all.size(); ++i) {
    const auto alone = generate(base.decoder(), adapters, std::span(all).subspan(i, 1), greedy(16));
    EXPECT_EQ(alone.front().ids, together[i].ids) << all[i].id;
    EXPECT_EQ(divided[i].ids, together[i].ids) << all[i].id;
  }
}

TEST(Generator, SampledTextsDoNotDependOnCompanyEither) {
  TinyBase base(make_cpu_ops(1), DType::kFloat32);
  AdapterSet adapters(base.decoder());
  add_adapters(adapters);
  const auto all = requests();
  auto options = greedy(12);
  options.sampling = {.temperature = 1, .top_k = 50, .top_p = 0.95, .seed = 3};
  const auto together = generate(base.decoder(), adapters, all, options);
  for (size_t i = 0; i < all.size(); ++i) {
    const auto alone = generate(base.decoder(), adapters, std::span(all).subspan(i, 1), options);
    EXPECT_EQ(alone.front().ids, together[i].ids) << all[i].id;
  }
  EXPECT_NE(together[2].ids, together[5].ids) << "equal prompts of two ids are two samples";
  options.sampling.seed = 4;
  EXPECT_NE(generate(base.decoder(), adapters, all, options).front().ids, together.front().ids);
}

TEST(Generator, StopsAtAnyEndToken) {
  TinyBase base(make_cpu_ops(1), DType::kFloat32);
  AdapterSet adapters(base.decoder());
  add_adapters(adapters);
  const auto all = requests();
  const auto whole = generate(base.decoder(), adapters, all, greedy(16));
  auto options = greedy(16);
  options.end_tokens = {9999, whole[0].ids[5]};
  const auto found = generate(base.decoder(), adapters, all, options);
  for (size_t i = 0; i < all.size(); ++i) {
    const auto end = std::find(whole[i].ids.begin(), whole[i].ids.end(), options.end_tokens[1]);
    const bool stops = end != whole[i].ids.end();
    EXPECT_EQ(found[i].stop, stops ? StopReason::kEndOfTurn : StopReason::kLength);
    EXPECT_EQ(found[i].ids, std::vector<int32_t>(whole[i].ids.begin(), stops ? end + 1 : end));
  }
}

TEST(Generator, OneTokenNeedsNoDecoding) {
  TinyBase base(make_cpu_ops(1), DType::kFloat32);
  AdapterSet adapters(base.decoder());
  add_adapters(adapters);
  const auto all = requests();
  const auto longer = generate(base.decoder(), adapters, all, greedy(3));
  const auto found = generate(base.decoder(), adapters, all, greedy(1));
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(found[i].ids, std::vector<int32_t>{longer[i].ids.front()});
  }
}

TEST(Generator, ReportsEveryFinishedRequestOnce) {
  TinyBase base(make_cpu_ops(1), DType::kFloat32);
  AdapterSet adapters(base.decoder());
  add_adapters(adapters);
  std::vector<size_t> done;
  const auto found = generate(
      base.decoder(), adapters, requests(), greedy(2), [&](size_t i, const Generation& generation) {
        done.push_back(i);
        EXPECT_EQ(generation.ids.size(), 2U);
      });
  EXPECT_EQ(found.size(), 7U);
  EXPECT_EQ(done, (std::vector<size_t>{0, 1, 2, 3, 4, 5, 6}));
}

TEST(Generator, TellsHowManyTokensLieBehindOverAllBatches) {
  TinyBase base(make_cpu_ops(1), DType::kFloat32);
  AdapterSet adapters(base.decoder());
  add_adapters(adapters);
  const auto told = [&](int64_t max_kept_rows) {
    std::vector<int64_t> tokens;
    GenerationOptions options = greedy(3);
    options.max_kept_rows = max_kept_rows;
    options.on_tokens = [&](int64_t now) { tokens.push_back(now); };
    generate(base.decoder(), adapters, requests(), options);
    return tokens;
  };
  EXPECT_EQ(told(1 << 14), (std::vector<int64_t>{7, 14}));
  EXPECT_EQ(told(1), (std::vector<int64_t>{1, 2, 4, 5, 7, 8, 10, 11, 13, 14, 16, 17, 19, 20}));
}

TEST(Generator, AContextThatIsTooSmallIsAnErrorThatNamesTheRequest) {
  TinyBase base(make_cpu_ops(1), DType::kFloat32, {.max_positions = 64});
  AdapterSet adapters(base.decoder());
  add_adapters(adapters);
  std::vector<GenerationRequest> all = {{"fits", tiny_rows("short", 0, 5)},
                                        {"q17", tiny_rows(std::string(50, 'x'), 0, 5)}};
  EXPECT_NO_THROW(generate(base.decoder(), adapters, all, greedy(9)));
  expect_input_error(ExitCode::kData, "q17: its prompt of 55 tokens", [&] {
    generate(base.decoder(), adapters, all, greedy(10));
  });
}

TEST(Generator, AnotherWidthIsRefused) {
  TinyBase base(make_cpu_ops(1), DType::kFloat32);
  AdapterSet adapters(base.decoder());
  expect_input_error(ExitCode::kModel, "width 16", [&] {
    adapters.add("narrow", tiny_adapter(2, 1, PromptPosition::kStart, 16));
  });
}

}  // namespace
}  // namespace prescript
