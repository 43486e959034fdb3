#pragma once
// What an evaluation found, as plain structs: what report.json and report.html are written from.
// Every Estimate has a 95 % percentile bootstrap interval over the questions.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "statistics/calibration.h"
#include "statistics/estimate.h"

namespace prescript {

struct LossPoint {
  int64_t step = 0;
  double loss = 0;
};

/// The base model, or an adapter on it.
struct EvaluatedSystem {
  std::string name;          // "base", or the adapter's name in the recipe
  std::string adapter = {};  // its directory; empty for the base
  std::string hash = {};     // SHA-256 of its soft prompt's numbers; empty for the base
  int64_t num_virtual_tokens = 0;
  /// Whether the files that it was trained on were looked through for the questions.
  bool exemplars_known = false;
  /// Of the run that trained it, where that lies beside the adapter.
  std::vector<LossPoint> training_loss = {};
  std::vector<LossPoint> validation_loss = {};
};

/// The text around the questions of a task: the same for every system.
struct EvaluatedPrompt {
  std::string strategy;  // as Condition::strategy
  std::string format;    // chat | plain
  std::optional<std::string> instruction = {};
  int64_t few_shot = 0;  // exemplars shown
  bool rationale = false;
  std::string origin;  // "task", or the name of the adapter whose hard prompt it is
  /// Adapters that were trained behind another hard prompt.
  std::vector<std::string> trained_otherwise = {};
};

/// Questions that also occur among the exemplars an adapter was trained on, or that are shown.
struct Contamination {
  std::string exemplars;  // a file
  int64_t num_exemplars = 0;
  std::vector<std::string> ids = {};  // of questions
};

enum class TaskKind { kMultipleChoice, kLongForm };

struct EvaluatedTask {
  std::string name;
  TaskKind kind = TaskKind::kMultipleChoice;
  std::string questions;  // the file
  std::string sha256;     // of the file
  int64_t num_in_file = 0;
  int64_t num_questions = 0;  // that were asked: all, or a sample by seed
  uint64_t seed = 0;
  double chance = 0;  // accuracy of guessing; 0 in long form
  std::vector<std::string> strategies = {};
  std::vector<std::string> scoring = {};  // letter | text | generation
  std::vector<EvaluatedPrompt> prompts = {};
  std::vector<Contamination> contamination = {};
};

/// A point of the curve of accuracy against deferral: the answers of at least this confidence are
/// given, all others deferred. Answers of equal confidence are given or deferred together.
struct DeferralPoint {
  double deferral_rate = 0;  // share of the questions that are deferred
  double confidence = 0;     // the least confidence of an answer that is given
  Estimate accuracy;         // of those given
  int64_t num_answered = 0;
};

/// The confidence from which on an adapter answers.
struct DeferralThreshold {
  double target_accuracy = 0;
  bool reached = false;  // false: no threshold reaches it on these questions
  double vote_share = 0;
  double deferral_rate = 0;
  Estimate accuracy;  // of the answers given
  int64_t num_questions = 0;
};

/// What becomes of accuracy when the least sure answers are deferred. An unparsed answer has
/// confidence 0 and is wrong; the curve counts it as given at a deferral rate of 0, no threshold
/// does.
struct Selective {
  std::vector<CalibrationBin> bins = {};  // accuracy by confidence
  std::string confidence;                 // "vote share", or "option probability"
  int64_t num_samples = 0;                // 0: of log-likelihoods
  std::vector<DeferralPoint> curve = {};  // by rising deferral rate
  Estimate area = {};                     // under the curve of accuracy against deferral rate
  Estimate calibration_error = {};        // expected calibration error
  int64_t calibration_bins = 0;
  Estimate brier = {};
  /// Of confidence telling right answers from wrong ones; nothing where all are one kind.
  std::optional<Estimate> auroc = {};
  /// Nothing where no question has an answer.
  std::optional<DeferralThreshold> threshold = {};
};

/// One way to answer a task's questions: a row of the table.
struct Condition {
  std::string task;
  std::string system;
  /// zero_shot | few_shot | chain_of_thought | self_consistency | selective_prediction
  std::string strategy;
  std::string scoring;  // letter | text | text_normalized | generation
  int64_t num_questions = 0;

  // Of multiple choice.
  std::optional<Estimate> accuracy = {};
  /// Of generated answers that the parser found no answer in: counted as wrong.
  int64_t unparsed = 0;
  /// Questions whose answer was chosen among equals: votes, or log-likelihoods.
  int64_t ties = 0;
  std::optional<Selective> selective = {};

  // Of generated texts.
  std::optional<Estimate> num_tokens = {};  // mean of an answer
  int64_t cut_off = 0;                      // texts that ended at the limit of tokens

  // Of long form, over the questions that have a reference.
  int64_t num_references = 0;
  std::optional<Estimate> rouge_l = {};  // F-measure
  int64_t num_must_have = 0;             // questions with must-have statements
  std::optional<Estimate> must_have_coverage = {};
};

/// Two conditions on the same questions, second less first.
struct Comparison {
  std::string task;
  std::string scoring;
  std::string first_system, first_strategy;
  std::string second_system, second_strategy;
  std::string metric;  // accuracy | rouge_l | must_have_coverage
  int64_t num_questions = 0;
  Estimate difference = {};  // of the metric, paired bootstrap
  // Of accuracy.
  int64_t only_first = 0;  // questions that only the first answers rightly
  int64_t only_second = 0;
  std::optional<double> mcnemar_p = {};  // exact, two-sided
  std::vector<std::string> won = {};     // ids of questions that only the second answers rightly
  std::vector<std::string> lost = {};
};

/// What computing shared beginnings once saved, over all systems of a task.
struct SharedWork {
  std::string task;
  std::string what;  // "log_likelihood", "zero_shot generation", ...
  int64_t rows_computed = 0;
  int64_t rows_unshared = 0;
};

/// A question with what two systems said, for people to read; report.json names its id alone.
struct Example {
  std::string task, id;
  std::string scoring;
  std::string first_system, first_strategy;
  std::string second_system, second_strategy;
  std::string question;  // with context and options, as it was asked
  std::string gold;
  std::string first_said, second_said;  // the letter chosen or the text; "" unparsed
  bool won = false;                     // only the second is right
};

/// How answers were drawn and numbers made.
struct EvaluationSettings {
  uint64_t seed = 0;  // of samples of questions, exemplars and answers
  int64_t self_consistency_samples = 0;
  int64_t selective_samples = 0;
  double temperature = 0;
  double target_accuracy = 0;
  int64_t max_answer_tokens = 0;
  int64_t max_reasoning_tokens = 0;
  int64_t max_long_form_tokens = 0;
  int64_t bootstrap_replicas = 0;
  uint64_t bootstrap_seed = 0;
};

struct EvaluationIdentity {
  std::string base_model;  // as the recipe names it
  std::string base_hash;
  std::string architecture;
  std::string dtype;
  std::string device;
  std::string version;    // of prescript
  std::string date = {};  // YYYY-MM-DD in UTC, when it began
  std::string recipe;     // the resolved YAML
};

/// What was asked of whom: known before the first answer.
struct EvaluationDescription {
  EvaluationIdentity identity;
  EvaluationSettings settings;
  std::vector<EvaluatedSystem> systems;
  std::vector<EvaluatedTask> tasks;
};

struct Evaluation {
  EvaluationDescription description;
  std::vector<Condition> conditions;
  std::vector<Comparison> comparisons;
  std::vector<SharedWork> shared_work;
  std::vector<Example> examples;  // at most ten won and ten lost per comparison of systems
};

}  // namespace prescript
