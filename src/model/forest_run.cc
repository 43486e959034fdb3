#include "model/forest_run.h"

#include <algorithm>
#include <memory>
#include <optional>

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

/// Passes that go through each layer one behind the other: as many as `plan` allows, at least one.
std::vector<std::span<const Pass>> groups_of(const Schedule& schedule, const RunPlan& plan) {
  std::vector<std::span<const Pass>> groups;
  const std::span<const Pass> passes(schedule.passes);
  for (size_t begin = 0; begin < passes.size(); begin += groups.back().size()) {
    size_t count = 1;
    int64_t rows = passes[begin].num_rows();
    while (begin + count < passes.size()) {
      rows += passes[begin + count].num_rows();
      if (rows > plan.rows_together) break;
      ++count;
    }
    groups.push_back(passes.subspan(begin, count));
  }
  return groups;
}

PassBytes bytes_of(const BackendTraits& ops,
                   const DecoderConfig& config,
                   DType dtype,
                   const Pass& pass,
                   const KeepPlan& keep) {
  return PassRun::bytes(
      ops, config, dtype, pass.num_rows(), pass.num_output_rows(), std::ssize(pass.targets), keep);
}

/// Room for the scratch of any pass of a schedule.
size_t scratch_bytes(const BackendTraits& ops,
                     const DecoderConfig& config,
                     DType dtype,
                     const Schedule& schedule,
                     const KeepPlan& keep) {
  size_t bytes = 0;
  for (const Pass& pass : schedule.passes) {
    bytes = std::max(bytes, bytes_of(ops, config, dtype, pass, keep).scratch);
  }
  return bytes;
}

/// The runs of a schedule's passes, with scratch of their own or, where they go together, in
/// common.
class Runs {
 public:
  Runs(Decoder& decoder,
       const Schedule& schedule,
       const RunPlan& plan,
       std::span<KeyValueRun* const> given,
       const KeepPlan& keep)
      : decoder_(decoder),
        keep_(keep),
        kept_(decoder, schedule, given, keep.keep == Keep::kActivations) {
    if (plan.rows_together == 0) return;
    scratch_ = decoder.ops().allocate(
        scratch_bytes(decoder.ops(), decoder.config(), decoder.dtype(), schedule, keep));
  }

  std::vector<PassRun> make(std::span<const Pass> passes) const {
    std::vector<PassRun> runs;
    for (const Pass& pass : passes) {
      runs.emplace_back(decoder_.ops(),
                        decoder_.config(),
                        decoder_.dtype(),
                        pass,
                        kept_.runs(),
                        keep_,
                        scratch_.get());
    }
    return runs;
  }

 private:
  Decoder& decoder_;
  KeepPlan keep_;
  KeptRuns kept_;
  Buffer scratch_;
};

std::vector<PassRun*> pointers_to(std::vector<PassRun>& runs) {
  std::vector<PassRun*> pointers;
  for (PassRun& run : runs) pointers.push_back(&run);
  return pointers;
}

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
    const Runs all(decoder, schedule, plan, given, {});
    for (const auto& group : groups_of(schedule, plan)) {
      std::vector<PassRun> runs = all.make(group);
      decoder.forward(pointers_to(runs), prompts_PD);
      for (PassRun& run : runs) {
        decoder.score_targets(run);
        collect(decoder, schedule, run, /*training=*/false, result);
      }
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
    const Runs all(decoder, schedule, plan, given, keep_plan(decoder.config(), plan));
    // The first pass holds what the others stand on: its forward comes first, its backward, which
    // needs the K/V gradients of all others, last.
    std::optional<PassRun> first;
    const auto groups = groups_of(schedule, plan);
    for (size_t g = 0; g < groups.size(); ++g) {
      std::vector<PassRun> runs = all.make(groups[g]);
      decoder.forward(pointers_to(runs), prompts_PD);
      for (PassRun& run : runs) {
        decoder.score_targets(run);
        collect(decoder, schedule, run, /*training=*/true, result);
      }
      if (!first) {
        first.emplace(std::move(runs.front()));
        runs.erase(runs.begin());
      }
      std::vector<PassRun*> backwards = pointers_to(runs);
      if (g + 1 == groups.size()) backwards.push_back(&*first);
      if (!backwards.empty()) decoder.backward(backwards, gradients_PD);
    }
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
  const KeepPlan keep = training ? keep_plan(config, plan) : KeepPlan{};
  const bool is_apart = plan.rows_together > 0;
  BlockBytes scratch;
  if (is_apart) scratch.add(scratch_bytes(ops, config, dtype, schedule, keep));
  BlockBytes first;   // training holds the first pass until the others are done
  BlockBytes others;  // a group at a time
  for (const auto& group : groups_of(schedule, plan)) {
    BlockBytes of_group;
    for (const Pass& pass : group) {
      const PassBytes bytes = bytes_of(ops, config, dtype, pass, keep);
      const bool stays = training && &pass == &schedule.passes.front();
      (stays ? first : of_group).add(is_apart ? bytes.own : bytes.total());
    }
    others.raise_to(of_group);
  }
  result.activations = {first.small + others.small + scratch.small,
                        first.large + others.large + scratch.large};
  return result;
}

int64_t num_ways_through(const Schedule& schedule, const RunPlan& plan) {
  return std::ssize(groups_of(schedule, plan));
}

size_t training_bytes(const BackendTraits& ops,
                      const DecoderConfig& config,
                      DType dtype,
                      const RunPlan& plan,
                      const MostRows& most_rows) {
  const int64_t rows = std::max(plan.max_rows, most_rows.undivided);
  const auto bytes = [&](int64_t held, const KeepPlan& keep) {
    return PassRun::bytes(ops, config, dtype, held, held, held, keep);
  };
  const KeepPlan keep = keep_plan(config, plan);
  const int64_t trained = std::min(most_rows.trained, rows);
  BlockBytes most;
  if (plan.rows_together == 0) {
    most.add(bytes(trained, keep).total());
    const int64_t behind_first = most_rows.trained - trained;
    if (behind_first > 0) most.add(bytes(std::min(behind_first, rows), keep).total());
  } else {
    const int64_t held = std::min(most_rows.trained, std::max(plan.rows_together, rows) + rows);
    most.add(bytes(held, keep).own + bytes(trained, keep).scratch);
  }
  const int64_t scored = std::min(most_rows.scored, rows);
  const int64_t scored_together = std::min(most_rows.scored, std::max(plan.rows_together, rows));
  BlockBytes of_scoring;
  of_scoring.add(bytes(scored_together, {}).own + bytes(scored, {}).scratch);
  most.raise_to(of_scoring);
  return most.total() + KeyValueRun::bytes(config, dtype, std::max(trained, scored)) +
         KeyValueRun::bytes(config, ops.kv_gradient_dtype(), trained);
}

}  // namespace prescript
