#pragma once
// A small evaluation with something of everything, made up.

#include "evaluate/result.h"

namespace prescript {

inline Selective sample_selective(double accuracy) {
  Selective selective;
  selective.confidence = "vote share";
  selective.num_samples = 41;
  for (int deferred = 0; deferred < 40; deferred += 4) {
    const double value = accuracy + 0.008 * deferred;
    selective.curve.push_back({.deferral_rate = deferred / 40.0,
                               .confidence = 0.2 + deferred / 50.0,
                               .accuracy = {value, value - 0.1, value + 0.1},
                               .num_answered = 40 - deferred});
  }
  selective.area = {accuracy + 0.1, accuracy, accuracy + 0.2};
  selective.calibration_error = {0.21, 0.15, 0.3};
  selective.calibration_bins = 10;
  selective.brier = {0.24, 0.2, 0.28};
  for (size_t bin = 0; bin < 10; ++bin) {
    const double low = 0.1 * static_cast<double>(bin);
    selective.bins.push_back({low, low + 0.1, bin % 4, low + 0.05, accuracy + low / 2});
  }
  selective.threshold = DeferralThreshold{.target_accuracy = 0.6,
                                          .reached = accuracy > 0.3,
                                          .vote_share = 0.7,
                                          .deferral_rate = 0.55,
                                          .accuracy = {0.61, 0.4, 0.8},
                                          .num_questions = 40};
  return selective;
}

/// `text` stands in every place that a file or a model can fill; "" for none.
inline EvaluationDescription sample_description(const std::string& text) {
  EvaluationDescription description;
  description.identity = {
      .base_model = "models/Tiny" + text + ".gguf",
      .base_hash = "7f3c0123456789ab7f3c0123456789ab7f3c0123456789ab7f3c0123456789ab",
      .architecture = "llama",
      .dtype = "bf16",
      .device = "cpu",
      .version = "0.1.0",
      .date = "2026-11-27",
      .recipe = "base_model: " + text + "\n"};
  description.settings = {.seed = 3,
                          .self_consistency_samples = 11,
                          .selective_samples = 41,
                          .temperature = 0.7,
                          .target_accuracy = 0.6,
                          .max_answer_tokens = 16,
                          .max_reasoning_tokens = 256,
                          .max_long_form_tokens = 512,
                          .bootstrap_replicas = 1000,
                          .bootstrap_seed = 5};
  const std::string adapter = "health" + text;
  description.systems = {{.name = "base", .adapter = "", .hash = ""},
                         {.name = adapter,
                          .adapter = "checkpoints/health/adapter",
                          .hash = "ab12cd34ab12cd34ab12cd34ab12cd34",
                          .num_virtual_tokens = 20,
                          .exemplars_known = true,
                          .training_loss = {{1, 3.2}, {2, 2.9}, {3, 2.7}, {4, 2.65}},
                          .validation_loss = {{0, 3.3}, {2, 3.0}, {4, 2.8}}}};
  description.tasks = {{.name = "medqa" + text,
                        .questions = "data/medqa.jsonl",
                        .sha256 = "00112233445566778899",
                        .num_in_file = 1273,
                        .num_questions = 40,
                        .chance = 0.25,
                        .prompts = {{.strategy = "zero_shot",
                                     .format = "chat",
                                     .instruction = "Answer." + text,
                                     .origin = "task",
                                     .trained_otherwise = {adapter}}},
                        .contamination = {{.exemplars = "exemplars/train.jsonl" + text,
                                           .num_exemplars = 300,
                                           .ids = {"q1", "q2" + text}}}},
                       {.name = "liveqa",
                        .kind = TaskKind::kLongForm,
                        .questions = "data/liveqa.jsonl",
                        .sha256 = "99887766554433221100",
                        .num_in_file = 104,
                        .num_questions = 10}};
  return description;
}

inline void add_sample_conditions(const std::string& text, Evaluation& evaluation) {
  const std::string adapter = "health" + text;
  for (const std::string& system : {std::string("base"), adapter}) {
    const double better = system == "base" ? 0 : 0.1;
    for (const char* strategy : {"zero_shot", "few_shot", "selective_prediction"}) {
      Condition condition{
          .task = "medqa" + text,
          .system = system,
          .strategy = strategy,
          .scoring = std::string(strategy) == "selective_prediction" ? "generation" : "letter",
          .num_questions = 40,
          .accuracy = Estimate{0.275 + better, 0.15 + better, 0.425 + better},
          .unparsed = 3,
          .ties = 1};
      if (condition.scoring == "generation") condition.selective = sample_selective(0.275 + better);
      evaluation.conditions.push_back(condition);
    }
    evaluation.conditions.push_back({.task = "liveqa",
                                     .system = system,
                                     .strategy = "zero_shot",
                                     .scoring = "generation",
                                     .num_questions = 10,
                                     .num_tokens = Estimate{180.5, 150, 210},
                                     .cut_off = 2,
                                     .num_references = 10,
                                     .rouge_l = Estimate{0.15 + better, 0.1, 0.3},
                                     .num_must_have = 0});
  }
}

inline void add_sample_comparisons(const std::string& text, Evaluation& evaluation) {
  const std::string adapter = "health" + text;
  Comparison comparison{.task = "medqa" + text,
                        .scoring = "letter",
                        .first_system = "base",
                        .first_strategy = "zero_shot",
                        .second_system = adapter,
                        .second_strategy = "zero_shot",
                        .metric = "accuracy",
                        .num_questions = 40,
                        .difference = {0.1, -0.05, 0.25},
                        .only_first = 2,
                        .only_second = 6,
                        .mcnemar_p = 0.289,
                        .won = {"q7"},
                        .lost = {"q9"}};
  evaluation.comparisons.push_back(comparison);
  comparison.first_system = adapter;
  comparison.second_strategy = "few_shot";
  evaluation.comparisons.push_back(comparison);
  comparison = {.task = "liveqa",
                .scoring = "generation",
                .first_system = "base",
                .first_strategy = "zero_shot",
                .second_system = adapter,
                .second_strategy = "zero_shot",
                .metric = "rouge_l",
                .num_questions = 10,
                .difference = {0.1, 0.02, 0.2}};
  evaluation.comparisons.push_back(comparison);
}

inline Evaluation sample_evaluation(const std::string& text) {
  const std::string adapter = "health" + text;
  Evaluation evaluation;
  evaluation.description = sample_description(text);
  add_sample_conditions(text, evaluation);
  add_sample_comparisons(text, evaluation);
  evaluation.shared_work = {{.task = "medqa" + text,
                             .what = "zero_shot log_likelihood",
                             .rows_computed = 12345,
                             .rows_unshared = 49380}};
  for (int i = 0; i < 24; ++i)
    evaluation.examples.push_back({.task = "medqa" + text,
                                   .id = "q" + std::to_string(i) + text,
                                   .scoring = "letter",
                                   .first_system = "base",
                                   .first_strategy = "zero_shot",
                                   .second_system = adapter,
                                   .second_strategy = i < 12 ? "zero_shot" : "few_shot",
                                   .question = "Which one?\n(A) this\n(B) that" + text,
                                   .gold = "A",
                                   .first_said = i % 2 == 0 ? "B" : "A",
                                   .second_said = i % 2 == 0 ? "A" : "",
                                   .won = i % 2 == 0});
  return evaluation;
}

}  // namespace prescript
