#include "cli/run_forecast.h"

#include <nlohmann/json.hpp>

#include "cli/run_plan.h"
#include "io/tensor_source.h"
#include "train/memory_plan.h"

namespace prescript {
namespace {

/// Of a layer's product as the file has it.
uint64_t stored_bytes(const TensorSource& tensors, const StoredWeight& weight) {
  uint64_t bytes = 0;
  for (const StoredRows& rows : weight.tensors) bytes += tensors.find(rows.name)->bytes;
  return bytes;
}

/// By what it holds: the more of loading, when pages of a tensor's file stand beside all weights,
/// and of the steps.
std::vector<MemoryPart> memory_of(const Ops& ops,
                                  const Recipe& recipe,
                                  const BaseModelFiles& files,
                                  const Work& work) {
  const DecoderConfig& config = files.config;
  const TensorSource& tensors = *files.tensors;
  const DType dtype = compute_dtype(recipe);
  const WeightFormat format = weight_format(recipe);
  const int64_t threads = *recipe.training.threads;
  const ProcessMemory process = process_memory(tensors, threads);
  uint64_t pages = 0;  // of a product that is laid out
  if (format == WeightFormat::kAsStored) {
    pages = stored_bytes(
        tensors,
        StoredWeights(config, kind_of(tensors, config)).projection(0, Projection::kGateUp));
  }
  const auto memory = [&](uint64_t model_file, const ForestBytes& forest, uint64_t scratch) {
    return std::vector<MemoryPart>{
        {"process_bytes", "process", process.resident},
        {"soft_prompt_bytes",
         "soft prompts",
         soft_prompt_bytes(config, optimizer_kind(recipe), num_virtual_tokens(recipe))},
        {"model_file_bytes", "model file", model_file},
        {"weight_bytes", "weights", weight_bytes(ops, config, dtype, format)},
        {"activation_bytes", "activations", forest.activations.total()},
        {"key_value_bytes", "K/V", forest.key_values.total()},
        {"scratch_bytes", "scratch", scratch}};
  };
  const auto loading = memory(process.model_file, {}, 0);
  const auto steps = memory(pages, work.bytes, scratch_bytes(config, dtype, threads, work.scratch));
  return format == WeightFormat::kConverted && sum_of(loading) > sum_of(steps) ? loading : steps;
}

}  // namespace

uint64_t sum_of(const std::vector<MemoryPart>& memory) {
  uint64_t sum = 0;
  for (const MemoryPart& part : memory) sum += part.bytes;
  return sum;
}

RunForecast forecast_run(Recipe& recipe,
                         Ops& ops,
                         const BaseModelFiles& files,
                         const TrainingData& data) {
  RunForecast forecast{.plan = least_plan(recipe.training.micro_batch_tokens)};
  try {
    forecast.plan = settle_memory(recipe, ops, files, data);
  } catch (const DeviceError& error) {
    forecast.misfit = error.what();
  }
  forecast.work = work_of_run(ops,
                              files.config,
                              compute_dtype(recipe),
                              data,
                              recipe.soft_prompt.num_virtual_tokens,
                              step_options(recipe, forecast.plan, data),
                              tune_options(recipe));
  forecast.memory = memory_of(ops, recipe, files, forecast.work.whole);
  return forecast;
}

nlohmann::ordered_json memory_facts(const RunForecast& forecast) {
  nlohmann::ordered_json facts = {{"fits", !forecast.misfit},
                                  {"peak_bytes", sum_of(forecast.memory)}};
  for (const MemoryPart& part : forecast.memory) facts["memory"][part.key] = part.bytes;
  facts["max_rows"] = forecast.plan.max_rows;
  facts["kept_layers"] = forecast.plan.kept_layers;
  return facts;
}

}  // namespace prescript
