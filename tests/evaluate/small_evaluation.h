#pragma once
// An evaluation of four questions by two systems, made by hand.

#include "evaluate/evaluation_directory.h"

namespace prescript {

/// A multiple-choice question with options (A) and (B) whose answer is `answer`.
inline Exemplar small_question(const std::string& id, const std::string& answer) {
  Exemplar exemplar;
  exemplar.id = id;
  exemplar.place = "q.jsonl:" + id;
  exemplar.question = "Question " + id + "?";
  exemplar.options = {{"A", "one"}, {"B", "other"}};
  exemplar.answer = answer;
  return exemplar;
}

/// Task `quiz`: the base answers q1 and q2 rightly, the adapter q2 and q3, nobody q4. Task `talk`:
/// one long answer each.
inline EvaluationFiles small_evaluation() {
  EvaluationFiles files;
  EvaluationDescription& description = files.description;
  description.identity = {.base_model = "m.gguf",
                          .base_hash = "abc",
                          .architecture = "llama",
                          .dtype = "fp32",
                          .device = "cpu",
                          .version = "0.1",
                          .date = "2026-01-31",
                          .recipe = "base_model: m.gguf\n"};
  description.settings = {.seed = 1,
                          .self_consistency_samples = 2,
                          .selective_samples = 3,
                          .temperature = 0.7,
                          .target_accuracy = 0.5,
                          .max_answer_tokens = 4,
                          .max_reasoning_tokens = 8,
                          .max_long_form_tokens = 9,
                          .bootstrap_replicas = 100,
                          .bootstrap_seed = 7};
  description.systems = {{.name = "base"},
                         {.name = "demo",
                          .adapter = "dir",
                          .hash = "def",
                          .num_virtual_tokens = 5,
                          .exemplars_known = true,
                          .training_loss = {{1, 2.5}},
                          .validation_loss = {{0, 3}, {1, 0.1}}}};
  EvaluatedTask quiz = {.name = "quiz",
                        .questions = "q.jsonl",
                        .sha256 = "123",
                        .num_in_file = 9,
                        .num_questions = 4,
                        .seed = UINT64_MAX,
                        .chance = 0.5,
                        .strategies = {"zero_shot"},
                        .scoring = {"letter"}};
  quiz.prompts = {{.strategy = "zero_shot",
                   .format = "plain",
                   .instruction = "Be brief.",
                   .few_shot = 2,
                   .rationale = true,
                   .origin = "demo",
                   .trained_otherwise = {"demo"}}};
  quiz.contamination = {{"x.jsonl", 12, {"q2"}}};
  EvaluatedTask talk = {.name = "talk",
                        .kind = TaskKind::kLongForm,
                        .questions = "l.jsonl",
                        .sha256 = "456",
                        .num_in_file = 1,
                        .num_questions = 1,
                        .strategies = {"zero_shot"},
                        .scoring = {"generation"}};
  description.tasks = {quiz, talk};

  for (const char* id : {"q1", "q2", "q3", "q4"}) {
    files.questions.push_back({"quiz", small_question(id, "A")});
    for (const std::string system : {"base", "demo"}) {
      const std::string right = system == "base" ? "q1 q2" : "q2 q3";
      const double of_a = right.find(id) != std::string::npos ? -1 : -2;
      Record record = {.key = {"quiz", "zero_shot", Computation::kOptions, system, id}};
      record.options = {{"A", LogLikelihood{of_a, 3}}, {"B", LogLikelihood{-1.5, 3}}};
      files.records.records.push_back(record);
    }
  }
  Exemplar open;
  open.id = "l1";
  open.question = "What helps?";
  open.answer = "rest and fluids";
  files.questions.push_back({"talk", open, {"rest helps", "drink fluids"}});
  for (const std::string system : {"base", "demo"}) {
    Record record = {.key = {"talk", "zero_shot", Computation::kAnswer, system, "l1"}};
    record.texts = {{system == "base" ? "rest" : "rest helps and drink fluids", 6, false}};
    record.answers = {std::nullopt};
    files.records.records.push_back(record);
  }
  files.records.work = {{"quiz", "zero_shot", Computation::kOptions, 10, 40},
                        {"quiz", "zero_shot", Computation::kOptions, 5, 20}};
  return files;
}

}  // namespace prescript
