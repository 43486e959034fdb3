// Training steps of large models, as `prescript train` runs them: forest, passes, decoder, AdamW.

#include <algorithm>
#include <chrono>
#include <memory>

#include "base/error.h"
#include "base/random.h"
#include "card_bench.h"
#include "random_weights.h"
#include "train/adamw.h"
#include "train/step.h"

namespace prescript::bench {
namespace {

struct StepCase {
  std::string name;
  DecoderConfig config;
  int64_t virtual_tokens = 50;  // P
  int64_t shared = 974;         // S
  int64_t leaf = 100;           // L
  int64_t leaves = 64;          // B
  int64_t targets = 50;         // of a leaf
  int64_t max_rows = 8192;
  int64_t kept_layers = -1;
  int64_t rows_together = 0;
  int num_steps = 3;
};

DecoderConfig llama(int64_t hidden, int64_t layers, int64_t heads, int64_t feed_forward) {
  DecoderConfig config;
  config.family = "llama";
  config.vocabulary_size = 128256;
  config.hidden_size = hidden;
  config.feed_forward_size = feed_forward;
  config.num_layers = layers;
  config.num_heads = heads;
  config.num_kv_heads = 8;
  config.head_size = 128;
  config.rotary_size = 128;
  config.max_positions = 8192;
  config.norm_epsilon = 1e-5;
  config.rope.theta = 500000;
  return config;
}

/// SmolLM2-135M, whose operations are so short that the host may not keep up with the card.
DecoderConfig smollm2() {
  DecoderConfig config = llama(576, 30, 9, 1536);
  config.vocabulary_size = 49152;
  config.num_kv_heads = 3;
  config.head_size = 64;
  config.rotary_size = 64;
  config.rope.theta = 100000;
  return config;
}

/// Few layers of few columns, to show that a case runs.
void shrink(StepCase& c) {
  c.config = llama(256, 2, 4, 512);
  c.config.vocabulary_size = 512;
  c.config.num_kv_heads = 2;
  c.config.head_size = 64;
  c.config.rotary_size = 64;
  c.virtual_tokens = 4;
  c.shared = 12;
  c.leaf = 10;
  c.leaves = 2;
  c.targets = 5;
  c.num_steps = 1;
}

/// Exemplars that share their first tokens and differ from the next on.
std::vector<TrainingExemplar> exemplars_of(const StepCase& c) {
  RandomStream stream(1, "tokens");
  const auto draw = [&] {
    return static_cast<int32_t>(stream.below(static_cast<uint64_t>(c.config.vocabulary_size)));
  };
  std::vector<int32_t> shared;
  for (int64_t s = 0; s < c.shared; ++s) shared.push_back(draw());
  std::vector<TrainingExemplar> exemplars(static_cast<size_t>(c.leaves));
  for (int64_t b = 0; b < c.leaves; ++b) {
    RenderedExemplar& rendered = exemplars[b].rendered;
    rendered.ids = shared;
    rendered.ids.push_back(static_cast<int32_t>(b));
    for (int64_t l = 0; l < c.leaf; ++l) rendered.ids.push_back(draw());  // the last is no row
    const auto end = static_cast<int32_t>(rendered.ids.size());
    for (auto t = end - static_cast<int32_t>(c.targets); t < end; ++t) {
      rendered.targets.push_back(t);
    }
    exemplars[b].id = std::to_string(b);
  }
  return exemplars;
}

std::string shape_of(const StepCase& c) {
  return "P " + std::to_string(c.virtual_tokens) + ", S " + std::to_string(c.shared) + ", L " +
         std::to_string(c.leaf) + ", B " + std::to_string(c.leaves) + ", " +
         std::to_string(c.targets) + " targets each";
}

void run(CardBench& bench, const StepCase& c, FrozenWeights& weights) {
  Decoder decoder(bench.ops(), c.config, weights, c.virtual_tokens + c.shared + c.leaf + 2);
  PromptedDecoder prompted(decoder,
                           1,
                           c.virtual_tokens,
                           {.plan = {.max_rows = c.max_rows,
                                     .kept_layers = c.kept_layers,
                                     .rows_together = c.rows_together}});
  const std::vector<TrainingExemplar> exemplars = exemplars_of(c);
  PromptedBatch batch;
  for (const TrainingExemplar& exemplar : exemplars) batch.exemplars.push_back(&exemplar);
  std::vector<float> prompt(static_cast<size_t>(c.virtual_tokens * c.config.hidden_size));
  RandomStream stream(1, "soft prompt");
  for (float& value : prompt) value = static_cast<float>(stream.normal());
  batch.prompt_PD = prompt;

  OptimizerState state;
  StepResult result;
  std::vector<double> seconds;
  double last_seconds = 0;
  for (int step = 0; step < c.num_steps + 1; ++step) {
    const auto start = std::chrono::steady_clock::now();
    result = prompted.differentiate(std::span(&batch, 1));
    adamw_step({}, 1e-3, result.prompts[0].gradient, prompt, state);
    last_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    std::fprintf(stderr,
                 "%s: step %d, %.3f s, loss %.4f\n",
                 c.name.c_str(),
                 step,
                 last_seconds,
                 result.prompts[0].loss);
    if (!result.prompts[0].not_finite.empty()) throw DeviceError(result.prompts[0].not_finite);
    if (step > 0) seconds.push_back(last_seconds);  // the first chooses algorithms
  }
  std::ranges::sort(seconds);
  bench.report({.group = "step",
                .name = c.name,
                .shape = shape_of(c),
                .seconds = seconds[seconds.size() / 2],
                .fastest = seconds.front(),
                .slowest = seconds.back(),
                .flops = result.flops,
                .more = {{"rows", static_cast<double>(result.rows_computed)},
                         {"loss", result.prompts[0].loss},
                         {"kept_layers", static_cast<double>(c.kept_layers)},
                         {"seconds_forward", result.phases[0]},
                         {"seconds_head", result.phases[1]},
                         {"seconds_backward", result.phases[2]},
                         {"weight_bytes", static_cast<double>(weights.bytes())},
                         {"bytes_taken", static_cast<double>(bytes_taken())}}});
}

/// The layers whose activations fit beside the weights; -1: all.
int64_t layers_that_fit(CardBench& bench, const StepCase& c) {
  constexpr double kShare = 0.9;  // of what is free; the rest is for operations
  const auto memory = bench.device().memory();
  if (!memory) return -1;
  const std::vector<TrainingExemplar> exemplars = exemplars_of(c);
  const std::vector<float> prompt(1);  // that there is one counts
  PromptedBatch batch{.exemplars = {}, .prompt_PD = prompt};
  for (const TrainingExemplar& exemplar : exemplars) batch.exemplars.push_back(&exemplar);
  const PromptedSequences all =
      sequences_of(std::span(&batch, 1), c.virtual_tokens, PromptPosition::kStart);
  const Schedule schedule = make_schedule(build_forest(all.sequences, {}, {}), c.max_rows);
  const auto fits = [&](int64_t layers) {
    const ForestBytes bytes = forest_bytes(
        bench.ops(),
        c.config,
        DType::kBFloat16,
        schedule,
        {.max_rows = c.max_rows, .kept_layers = layers, .rows_together = c.rows_together},
        true);
    const size_t total = bytes.activations.total() + bytes.key_values.total();
    return static_cast<double>(total) <= kShare * static_cast<double>(memory->free);
  };
  if (fits(-1)) return -1;
  int64_t layers = c.config.num_layers - 1;
  while (layers > 0 && !fits(layers)) --layers;
  return layers;
}

}  // namespace

void measure_step(CardBench& bench) {
  StepCase large{.name = "8B, bf16", .config = llama(4096, 32, 32, 14336)};
  StepCase small{.name = "135M, bf16", .config = smollm2(), .virtual_tokens = 20, .shared = 236};
  // As few rows as there can be: next to nothing to compute, so that it takes what the host needs
  // to issue a step.
  StepCase fewest = small;
  fewest.name = "135M, bf16, one short exemplar";
  fewest.virtual_tokens = fewest.shared = fewest.leaf = fewest.leaves = fewest.targets = 1;
  for (StepCase c : {large, small, fewest}) {
    if (bench.extents().is_small) shrink(c);
    {
      const auto weights = random_weights(bench, c.config);
      c.kept_layers = layers_that_fit(bench, c);
      run(bench, c, *weights);
    }
    bench.forget();
  }
}

void measure_quantized_step(CardBench& bench) {
  StepCase c{.name = "70B, 4 bits", .config = llama(8192, 80, 64, 28672)};
  c.num_steps = 1;
  if (bench.extents().is_small) shrink(c);
  {
    const auto weights = random_quantized_weights(bench, c.config);
    c.kept_layers = layers_that_fit(bench, c);
    run(bench, c, *weights);
  }
  bench.forget();
}

void measure_streamed_steps(CardBench& bench) {
  for (StepCase c :
       {StepCase{.name = "8B, bf16, streamed", .config = llama(4096, 32, 32, 14336)},
        StepCase{.name = "8B, bf16, streamed, in passes of 2048 rows",
        .config = llama(4096, 32, 32, 14336),
        .max_rows = 2048},
        StepCase{
            .name = "70B, bf16, streamed", .config = llama(8192, 80, 64, 28672), .num_steps = 1}}) {
    c.rows_together = 1 << 16;
    if (bench.extents().is_small) shrink(c);
    {
      StreamedRandomWeights random(bench, c.config);
      c.kept_layers = layers_that_fit(bench, c);
      run(bench, c, random.weights());
    }
    bench.forget();
  }
}

}  // namespace prescript::bench
