#pragma once
// A task of an evaluation: questions, and how they are asked under each strategy.

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "evaluate/result.h"
#include "text/exemplar.h"
#include "text/hard_prompt.h"

namespace prescript {

/// How questions are asked; names are part of the formats. The samples of self-consistency are the
/// first of those of selective prediction.
enum class Strategy {
  kZeroShot,
  kFewShot,
  kChainOfThought,
  kSelfConsistency,
  kSelectivePrediction
};

const char* name_of(Strategy strategy);
/// Throws ContractError for another word.
Strategy strategy_of(std::string_view name);

struct TaskOptions {
  std::string name = {};
  std::string questions = {};         // a file
  std::optional<int64_t> limit = {};  // a sample of so many, by seed; absent: all
  uint64_t seed = 1;
  std::optional<std::string> few_shot_from = {};  // a file
  int64_t few_shot_count = 0;
};

struct Task {
  std::string name;
  TaskKind kind = TaskKind::kMultipleChoice;
  std::string path;
  std::string sha256;
  int64_t num_in_file = 0;
  std::vector<Exemplar> questions;  // as asked, in the order of the file
  std::map<std::string, std::vector<std::string>> must_have = {};  // statements, by question
  std::vector<Exemplar> few_shot;                                  // drawn by seed
  HardPrompt prompt = {};                                          // of the strategy zero_shot
  /// Instruction of the strategies that reason; absent: default_reasoning_instruction.
  std::optional<std::string> reasoning_instruction = {};
  bool use_letter = false;  // options are scored by their "(X)"
  bool use_text = false;    // and by their text
  bool use_generation = false;
  std::vector<Strategy> strategies = {};

  bool has(Strategy strategy) const;
};

/// What asks for an explanation where the recipe says nothing else.
/// Source   Singhal et al. 2023, whose wording it follows; the last words are what the parser
/// reads.
inline constexpr const char* kReasoningInstruction =
    "The following are multiple choice questions about medical knowledge. Solve them in a "
    "step-by-step fashion, referring to authoritative sources as needed. Output a single option as "
    "the final answer, on a line of its own: Answer: (X)";

/// Reads the questions and draws a sample and the few-shot exemplars, which are none of the
/// questions that are asked. Multiple choice where questions have options, and then all of them
/// must, and have an answer; long form else. Throws InputError(kData) as read_exemplars does, and
/// for a file that holds both kinds or fewer few-shot exemplars than are wanted.
Task read_task(const TaskOptions& options);

/// The hard prompt of a strategy. Few-shot exemplars are shown under few_shot, and where the task
/// has some under the strategies that reason; those read and write rationales.
HardPrompt prompt_of(const Task& task, Strategy strategy);

/// The statements that a good answer makes, from the field `must_have` of a line: K-QA's. Throws
/// InputError(kData) where it is no list of texts.
std::vector<std::string> must_have_of(std::string_view line, const std::string& place);

/// Those of `questions` that are the same as, contained in or similar to one of the exemplars
/// (exemplars/overlap.h).
std::vector<std::string> ids_that_occur(std::span<const Exemplar> questions,
                                        std::span<const Exemplar> exemplars);

}  // namespace prescript
