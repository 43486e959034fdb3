#include "model/forest_run.h"

#include <algorithm>
#include <memory>

#include "forest/pass.h"
#include "model/flops.h"
#include "ops/cpu_pages.h"

namespace prescript {
namespace {

/// The K/V runs of a schedule: given ones belong to the caller, the others live here.
class KeptRuns {
 public:
  KeptRuns(Decoder& decoder,
           const Schedule& schedule,
           std::span<KeyValueRun* const> given,
           bool with_gradient) {
    for (const KeptRun& run : schedule.kept_runs) {
      if (run.given != Node::kComputed) {
        runs_.push_back(given[run.given]);
        continue;
      }
      owned_.push_back(std::make_unique<KeyValueRun>(decoder.ops(),
                                                     decoder.config(),
                                                     decoder.dtype(),
                                                     run.num_rows,
                                                     with_gradient && run.needs_gradient));
      runs_.push_back(owned_.back().get());
    }
  }

  std::span<KeyValueRun* const> runs() const { return runs_; }

 private:
  std::vector<std::unique_ptr<KeyValueRun>> owned_;
  std::vector<KeyValueRun*> runs_;
};

void collect(const Decoder& decoder,
             const Schedule& schedule,
             const PassRun& run,
             bool training,
             ForestResult& result) {
  const Pass& pass = run.pass();
  std::vector<float> log_probs(pass.targets.size());
  decoder.ops().download(run.log_probs_T, log_probs.data());
  for (size_t t = 0; t < pass.targets.size(); ++t) {
    result.log_probs[pass.targets[t].forest_target] = log_probs[t];
  }
  result.rows_computed += pass.num_rows();
  result.flops += count_flops(decoder.config(), schedule, pass, training);
}

KeepPlan keep_plan(const DecoderConfig& config, const RunPlan& plan) {
  const int64_t num_layers = config.num_layers;
  const int64_t kept = plan.kept_layers < 0 ? num_layers : std::min(plan.kept_layers, num_layers);
  return {Keep::kActivations, kept};
}

}  // namespace

ForestResult score_forest(Decoder& decoder,
                          const Forest& forest,
                          const RunPlan& plan,
                          std::span<const Tensor> prompts_PD,
                          std::span<KeyValueRun* const> given) {
  ForestResult result{.log_probs = std::vector<double>(forest.targets.size())};
  for (const Schedule& schedule : make_schedules(forest, plan.max_rows)) {
    const KeptRuns kept(decoder, schedule, given, /*with_gradient=*/false);
    for (const Pass& pass : schedule.passes) {
      PassRun run(decoder.ops(), decoder.config(), decoder.dtype(), pass, kept.runs(), {});
      decoder.forward(run, prompts_PD);
      decoder.score_targets(run);
      collect(decoder, schedule, run, /*training=*/false, result);
    }
  }
  return result;
}

ForestResult differentiate_forest(Decoder& decoder,
                                  const Forest& forest,
                                  const RunPlan& plan,
                                  std::span<const Tensor> prompts_PD,
                                  std::span<KeyValueRun* const> given,
                                  std::span<const Tensor> gradients_PD) {
  ForestResult result{.log_probs = std::vector<double>(forest.targets.size())};
  for (const Schedule& schedule : make_schedules(forest, plan.max_rows)) {
    const KeptRuns kept(decoder, schedule, given, /*with_gradient=*/true);
    const auto forward = [&](const Pass& pass) {
      PassRun run(decoder.ops(),
                  decoder.config(),
                  decoder.dtype(),
                  pass,
                  kept.runs(),
                  keep_plan(decoder.config(), plan));
      decoder.forward(run, prompts_PD);
      decoder.score_targets(run);
      collect(decoder, schedule, run, /*training=*/true, result);
      return run;
    };
    // The first pass holds what the others stand on: its forward comes first, its backward, which
    // needs the K/V gradients of all others, last.
    PassRun first = forward(schedule.passes.front());
    for (size_t p = 1; p < schedule.passes.size(); ++p) {
      PassRun run = forward(schedule.passes[p]);
      decoder.backward(run, gradients_PD);
    }
    decoder.backward(first, gradients_PD);
  }
  return result;
}

Schedule key_value_schedule(std::span<const Row> rows, int64_t max_rows) {
  const auto num_rows = static_cast<int32_t>(rows.size());
  PRESCRIPT_CHECK(num_rows > 0 && max_rows > 0, "K/V of no rows");
  Schedule schedule;
  schedule.kept_runs.push_back({.num_rows = num_rows});
  for (int32_t begin = 0; begin < num_rows;) {
    const auto count = static_cast<int32_t>(std::min<int64_t>(max_rows, num_rows - begin));
    Pass pass;
    pass.rows.assign(rows.begin() + begin, rows.begin() + begin + count);
    for (int32_t i = 0; i < count; ++i) pass.positions.push_back(begin + i);
    if (begin > 0) {
      pass.parts.push_back({.num_queries = count, .source = 1, .num_keys = begin});
    }
    pass.parts.push_back(
        {.num_queries = count, .num_keys = count, .causal_offset = 0, .key_position = begin});
    pass.kept.push_back({.num_rows = count, .kept_begin = begin});
    schedule.passes.push_back(std::move(pass));
    begin += count;
  }
  return schedule;
}

KeyValueRun compute_key_values(Decoder& decoder,
                               std::span<const Row> rows,
                               int64_t max_rows,
                               std::span<const Tensor> prompts_PD) {
  const Schedule schedule = key_value_schedule(rows, max_rows);
  KeyValueRun result(
      decoder.ops(), decoder.config(), decoder.dtype(), schedule.kept_runs[0].num_rows, false);
  KeyValueRun* const kept[] = {&result};
  for (const Pass& pass : schedule.passes) {
    PassRun run(decoder.ops(), decoder.config(), decoder.dtype(), pass, kept, {});
    decoder.forward(run, prompts_PD);
  }
  return result;
}

void BlockBytes::add(size_t block) {
  (block < cpu::PagePool::kLarge ? small : large) += block;
}

void BlockBytes::raise_to(const BlockBytes& other) {
  small = std::max(small, other.small);
  large = std::max(large, other.large);
}

ForestBytes forest_bytes(const BackendTraits& ops,
                         const DecoderConfig& config,
                         DType dtype,
                         const Schedule& schedule,
                         const RunPlan& plan,
                         bool training) {
  ForestBytes result;
  for (const KeptRun& run : schedule.kept_runs) {
    if (run.given != Node::kComputed) continue;
    size_t bytes = KeyValueRun::bytes(config, dtype, run.num_rows);
    if (training && run.needs_gradient) {
      bytes += KeyValueRun::bytes(config, ops.kv_gradient_dtype(), run.num_rows);
    }
    result.key_values.add(bytes);
  }
  BlockBytes first;   // training holds the first pass until the others are done
  BlockBytes others;  // one at a time
  for (const Pass& pass : schedule.passes) {
    BlockBytes bytes;
    bytes.add(PassRun::bytes(ops,
                             config,
                             dtype,
                             pass.num_rows(),
                             pass.num_output_rows(),
                             std::ssize(pass.targets),
                             training ? keep_plan(config, plan) : KeepPlan{}));
    const bool stays = training && &pass == &schedule.passes.front();
    (stays ? first : others).raise_to(bytes);
  }
  result.activations = {first.small + others.small, first.large + others.large};
  return result;
}

size_t training_bytes(const BackendTraits& ops,
                      const DecoderConfig& config,
                      DType dtype,
                      const RunPlan& plan) {
  const int64_t kept = plan.kept_layers < 0 ? config.num_layers : plan.kept_layers;
  const KeepPlan keep{Keep::kActivations, kept};
  const size_t pass =
      PassRun::bytes(ops, config, dtype, plan.max_rows, plan.max_rows, plan.max_rows, keep);
  const size_t shared = KeyValueRun::bytes(config, dtype, plan.max_rows) +
                        KeyValueRun::bytes(config, ops.kv_gradient_dtype(), plan.max_rows);
  return 2 * pass + shared;
}

}  // namespace prescript
