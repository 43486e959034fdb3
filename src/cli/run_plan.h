#pragma once
// A recipe as the plain arguments that the components take.

#include <memory>

#include "adapter/adapter.h"
#include "cli/prepared_run.h"
#include "infer/base_model.h"
#include "recipe/recipe.h"
#include "train/memory_plan.h"
#include "train/run_state.h"
#include "train/training_data.h"
#include "train/tune.h"

namespace prescript {

/// The recipe with every `auto` settled that asks for no soft prompt: the device, `threads`, and
/// what `recorded`, the resolved recipe of the run that goes on, has settled before; its device
/// only where that is here.
Recipe resolve(Recipe recipe, const Recipe* recorded);

/// The recipe of `run`, its learning rate included: that which fits the numbers that its soft
/// prompts begin with, or those of the vocabulary where they are larger.
void resolve(PreparedRun& run, const Recipe* recorded);

DType compute_dtype(const Recipe& recipe);
/// As settle_memory has settled it, or as somebody set it.
WeightFormat weight_format(const Recipe& recipe);
/// And back.
WeightsRecipe weights_recipe(WeightFormat format);
OptimizerKind optimizer_kind(const Recipe& recipe);
TrainingDataOptions training_data_options(const Recipe& recipe);
/// Of a resolved recipe. `noise_key` matters under privacy only, and to steps alone.
TuneOptions tune_options(const Recipe& recipe, uint64_t noise_key = 0);
StepOptions step_options(const Recipe& recipe, const RunPlan& plan, const TrainingData& data);
ComputeOptions compute_options(const Recipe& recipe);

/// Of all candidates, or of the exemplars side by side under privacy.
int64_t num_virtual_tokens(const Recipe& recipe);

/// Where the recipe computes, which must be here.
std::unique_ptr<Ops> make_ops(const Recipe& recipe);

/// What the run of a resolved recipe holds in memory; before weights are loaded.
RunMemory run_memory(const Recipe& recipe,
                     const BackendTraits& ops,
                     const BaseModelFiles& files,
                     const TrainingData& data);

/// Settles weights.format and weights.residence of `recipe` and `run` (the first that fits of those
/// that are left open: converted, as stored, streamed), training.memory_gb and
/// training.micro_batch_tokens, and returns the plan: for the memory of the card where the backend
/// has one (and never for more than it has free), else for that of the process. Throws DeviceError
/// (exit 5) when training does not fit, and warns where it takes more than is free now.
RunPlan settle_memory(Recipe& recipe, RunMemory& run);

/// The key of a run's noise in the identity of its checkpoints, which must stay in the run's
/// directory.
inline constexpr const char* kNoiseKey = "privacy (noise key)";

/// Stands for a secret where all else is shown.
inline constexpr const char* kSecretKept = "kept secret";

/// What a checkpoint of this run belongs to: every setting that changes its numbers, and hashes of
/// base model, exemplars and first soft prompts in place of paths.
RunIdentity identity_of(const PreparedRun& run, const AdapterIdentity& base);

/// Throws InputError(kUsage) naming the first difference between a checkpoint and the run that
/// wants to go on with it.
void check_same_run(const RunIdentity& checkpoint, const RunIdentity& run);

/// The adapter that a run exports where `candidate` (index) is the best, but for its soft prompt
/// and metrics. Its provenance has the candidate's settings, and the lists that they come from.
Adapter adapter_of_run(const Recipe& recipe,
                       size_t candidate,
                       const AdapterIdentity& base,
                       const TrainingData& data);

}  // namespace prescript
