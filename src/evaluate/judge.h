#pragma once
// From records to right and wrong: what a system chose under each strategy and scoring.

#include <map>
#include <span>
#include <string>
#include <vector>

#include "evaluate/evaluation_directory.h"

namespace prescript {

/// How a question was answered.
struct Judgement {
  const Exemplar* question = nullptr;
  const std::vector<std::string>* must_have = nullptr;  // in long form
  std::string said = {};  // the letter chosen; empty where the parser found none, and in long form
  bool correct = false;
  bool tied = false;      // chosen among equals
  double confidence = 0;  // vote share, or probability of the option among all options
  double num_tokens = 0;  // mean of its texts
  int64_t cut_off = 0;    // texts that ended at the limit of tokens
  std::string text = {};  // in long form
};

/// All judgements of a task, a system, a strategy and a scoring, in the order of the questions.
struct JudgedCondition {
  std::string task, system, strategy, scoring;
  std::vector<Judgement> judgements;
};

/// The option with the highest log-likelihood, by letter; of equals the first. `scoring` is letter,
/// text or text_normalized: the log-likelihood of the text divided by its length in characters (as
/// the harness's acc_norm).
Judgement judge_options(const Exemplar& question,
                        std::span<const OptionScore> options,
                        const std::string& scoring);

/// What most of the first `num_texts` texts state; of equals what was stated first. Texts in which
/// the parser finds no answer count in the share.
Judgement judge_texts(const Exemplar& question,
                      std::span<const GeneratedText> texts,
                      size_t num_texts);

/// How far an evaluation is. A question is finished when every system has answered it under every
/// strategy.
struct Answered {
  size_t questions_finished = 0;
  size_t questions = 0;
  size_t answers = 0;
  size_t answers_needed = 0;
  size_t strange_answers = 0;  // to no question, or of no system, of this evaluation
};
Answered answered(const EvaluationFiles& files);

/// Every condition that has records, in the order of tasks, strategies, scorings and systems.
/// `files` must outlive the result.
std::vector<JudgedCondition> judge(const EvaluationFiles& files);

}  // namespace prescript
