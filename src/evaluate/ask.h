#pragma once
// Asks the model: from tasks and systems to records.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "evaluate/record.h"
#include "evaluate/task.h"
#include "infer/adapter_set.h"
#include "infer/base_model.h"
#include "text/rendering.h"

namespace prescript {

/// Who answers: the base, or an adapter of the set.
struct AskedSystem {
  std::string name;
  int32_t adapter = AdapterSet::kBase;
};

struct AskOptions {
  uint64_t seed = 1;  // of samples
  double temperature = 0.7;
  int64_t num_samples = 0;  // of a question whose strategies vote
  int64_t max_answer_tokens = 16;
  int64_t max_reasoning_tokens = 256;
  int64_t max_long_form_tokens = 256;
  int64_t max_pass_rows = 2048;
};

/// A computation that a task needs: under which prompt, and what.
struct NeededComputation {
  Strategy prompt = Strategy::kZeroShot;
  Computation computation = Computation::kOptions;
};

/// In the order in which they are computed. Options and answers behind the prompts of zero_shot and
/// few_shot, an answer behind that of chain_of_thought, and samples behind the same.
std::vector<NeededComputation> needed_computations(const Task& task);

/// What a computation of one question by one system takes, in tokens that it may draw; for how far
/// an evaluation is. The options of a question, whose rows go through the decoder at once, are
/// about as much as 64 tokens drawn one by one.
int64_t work_of(const Task& task, const NeededComputation& needed, const AskOptions& options);

/// How many samples a task's strategies draw: of selective prediction, else of self-consistency.
int64_t num_samples_of(const Task& task, int64_t self_consistency, int64_t selective);

/// Throws InputError(kData) naming the first question that does not fit into the model's context
/// with its prompt and answer, before anything is computed. `adapters[i]` is adapter i.
void check_questions_fit(const Task& task,
                         const BaseModelFiles& base,
                         std::span<const AskedSystem> systems,
                         std::span<const Adapter> adapters,
                         const AskOptions& options);

/// Computes what `task` needs and `is_done` does not know yet; a system's prompt, and what all
/// options or samples of a question begin with, once. `on_records` gets them as they come, with
/// their work; meanwhile `on_work` is told how much of the work (work_of) of the next ones is done.
void ask(const Task& task,
         BaseModel& model,
         const AdapterSet& adapters,
         std::span<const AskedSystem> systems,
         const AskOptions& options,
         const std::function<bool(const RecordKey&)>& is_done,
         const std::function<void(std::span<const Record>, const WorkRecord&)>& on_records,
         const std::function<void(const NeededComputation&, int64_t)>& on_work = {});

}  // namespace prescript
