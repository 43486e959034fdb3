#include "evaluate/summarize.h"

#include <algorithm>

#include "evaluate/judge.h"
#include "evaluate/reference_scores.h"
#include "evaluate/selective.h"
#include "statistics/bootstrap.h"
#include "statistics/mcnemar.h"
#include "text/hard_prompt.h"

namespace prescript {
namespace {

constexpr size_t kMaxExamples = 10;  // won, and as many lost, of a comparison

double coverage(const Judgement& judgement) {
  const auto& statements = *judgement.must_have;
  const auto covered = std::ranges::count_if(statements, [&](const std::string& statement) {
    return word_recall(statement, judgement.text) >= kCoveredRecall;
  });
  return static_cast<double>(covered) / static_cast<double>(statements.size());
}

/// A metric of judgements, and of which of them.
struct Metric {
  const char* name;
  bool (*is_of)(const Judgement&);
  double (*value)(const Judgement&);
};

constexpr Metric kAccuracy = {"accuracy",
                              [](const Judgement& j) { return !j.question->options.empty(); },
                              [](const Judgement& j) { return j.correct ? 1.0 : 0.0; }};
const Metric kRougeL = {
    "rouge_l",
    [](const Judgement& j) {
      return j.question->options.empty() && j.question->answer.has_value();
    },
    [](const Judgement& j) { return rouge_l(*j.question->answer, j.text).f_measure; }};
const Metric kCoverage = {
    "must_have_coverage",
    [](const Judgement& j) { return j.must_have != nullptr && !j.must_have->empty(); },
    coverage};

std::vector<double> values_of(const std::vector<Judgement>& judgements, const Metric& metric) {
  std::vector<double> values;
  for (const Judgement& judgement : judgements) {
    if (metric.is_of(judgement)) values.push_back(metric.value(judgement));
  }
  return values;
}

class Summary {
 public:
  explicit Summary(const EvaluationFiles& files)
      : files_(files),
        bootstrap_{.seed = files.description.settings.bootstrap_seed,
                   .replicas = static_cast<size_t>(files.description.settings.bootstrap_replicas)} {
  }

  Evaluation run() {
    evaluation_.description = files_.description;
    const std::vector<JudgedCondition> judged = judge(files_);
    for (const JudgedCondition& condition : judged) {
      evaluation_.conditions.push_back(condition_of(condition));
    }
    for (size_t i = 0; i < judged.size(); ++i) {
      for (size_t j = i + 1; j < judged.size(); ++j) compare(judged[i], judged[j]);
    }
    add_work();
    return std::move(evaluation_);
  }

 private:
  std::optional<Estimate> mean(const std::vector<double>& values) const {
    if (values.empty()) return std::nullopt;
    return bootstrap_mean(values, bootstrap_);
  }

  Condition condition_of(const JudgedCondition& judged) const {
    const auto& judgements = judged.judgements;
    Condition condition = {.task = judged.task,
                           .system = judged.system,
                           .strategy = judged.strategy,
                           .scoring = judged.scoring,
                           .num_questions = std::ssize(judgements)};
    condition.accuracy = mean(values_of(judgements, kAccuracy));
    for (const Judgement& judgement : judgements) {
      condition.unparsed += condition.accuracy && judgement.said.empty() ? 1 : 0;
      condition.ties += judgement.tied ? 1 : 0;
      condition.cut_off += judgement.cut_off;
    }
    if (judged.scoring == "generation") {
      std::vector<double> tokens;
      for (const Judgement& judgement : judgements) tokens.push_back(judgement.num_tokens);
      condition.num_tokens = mean(tokens);
    }
    const auto rouge = values_of(judgements, kRougeL);
    condition.num_references = std::ssize(rouge);
    condition.rouge_l = mean(rouge);
    const auto covered = values_of(judgements, kCoverage);
    condition.num_must_have = std::ssize(covered);
    condition.must_have_coverage = mean(covered);
    condition.selective = selective(judged);
    return condition;
  }

  /// Of votes of selective prediction, and of the probabilities of letters.
  std::optional<Selective> selective(const JudgedCondition& judged) const {
    const EvaluationSettings& settings = files_.description.settings;
    const bool has_votes = judged.strategy == name_of(Strategy::kSelectivePrediction);
    if (!has_votes && judged.scoring != "letter") return std::nullopt;
    std::vector<JudgedAnswer> answers;
    for (const Judgement& judgement : judged.judgements) {
      answers.push_back({judgement.confidence, judgement.correct});
    }
    Selective result = selective_of(answers, settings.target_accuracy, bootstrap_);
    result.confidence = has_votes ? "vote share" : "option probability";
    result.num_samples = has_votes ? settings.selective_samples : 0;
    return result;
  }

  /// Compares what differs in the system alone, or in the strategy alone.
  void compare(const JudgedCondition& first, const JudgedCondition& second) {
    if (first.task != second.task || first.scoring != second.scoring) return;
    const bool same_strategy = first.strategy == second.strategy;
    const bool same_system = first.system == second.system;
    const bool is_against_zero_shot = first.strategy == name_of(Strategy::kZeroShot);
    if (same_strategy == same_system || (same_system && !is_against_zero_shot)) return;
    for (const Metric& metric : {kAccuracy, kRougeL, kCoverage}) {
      add_comparison(first, second, metric, same_strategy);
    }
  }

  void add_comparison(const JudgedCondition& first,
                      const JudgedCondition& second,
                      const Metric& metric,
                      bool with_examples) {
    std::vector<std::pair<const Judgement*, const Judgement*>> pairs;
    for (const Judgement& one : first.judgements) {
      const auto other = std::ranges::find(second.judgements, one.question, &Judgement::question);
      if (other != second.judgements.end() && metric.is_of(one)) pairs.emplace_back(&one, &*other);
    }
    if (pairs.empty()) return;
    Comparison comparison = {.task = first.task,
                             .scoring = first.scoring,
                             .first_system = first.system,
                             .first_strategy = first.strategy,
                             .second_system = second.system,
                             .second_strategy = second.strategy,
                             .metric = metric.name,
                             .num_questions = std::ssize(pairs)};
    std::vector<double> of_first;
    std::vector<double> of_second;
    for (const auto& [one, other] : pairs) {
      of_first.push_back(metric.value(*one));
      of_second.push_back(metric.value(*other));
    }
    comparison.difference = bootstrap_paired_difference(of_second, of_first, bootstrap_);
    if (std::string_view(metric.name) == kAccuracy.name) {
      for (const auto& [one, other] : pairs) {
        if (one->correct == other->correct) continue;
        auto& ids = other->correct ? comparison.won : comparison.lost;
        ids.push_back(one->question->id);
        if (with_examples && ids.size() <= kMaxExamples) add_example(comparison, *one, *other);
      }
      comparison.only_first = std::ssize(comparison.lost);
      comparison.only_second = std::ssize(comparison.won);
      comparison.mcnemar_p = mcnemar(comparison.lost.size(), comparison.won.size()).exact_p;
    }
    evaluation_.comparisons.push_back(std::move(comparison));
  }

  void add_example(const Comparison& comparison, const Judgement& one, const Judgement& other) {
    evaluation_.examples.push_back({.task = comparison.task,
                                    .id = one.question->id,
                                    .scoring = comparison.scoring,
                                    .first_system = comparison.first_system,
                                    .first_strategy = comparison.first_strategy,
                                    .second_system = comparison.second_system,
                                    .second_strategy = comparison.second_strategy,
                                    .question = question_text(*one.question),
                                    .gold = *one.question->answer,
                                    .first_said = one.said,
                                    .second_said = other.said,
                                    .won = other.correct});
  }

  void add_work() {
    for (const WorkRecord& work : files_.records.work) {
      const std::string what = work.prompt + " " + name_of(work.computation);
      auto& all = evaluation_.shared_work;
      auto found = std::ranges::find_if(all, [&](const SharedWork& other) {
        return other.task == work.task && other.what == what;
      });
      if (found == all.end()) found = all.insert(all.end(), {.task = work.task, .what = what});
      found->rows_computed += work.rows_computed;
      found->rows_unshared += work.rows_unshared;
    }
  }

  const EvaluationFiles& files_;
  BootstrapOptions bootstrap_;
  Evaluation evaluation_;
};

}  // namespace

Evaluation summarize(const EvaluationFiles& files) {
  return Summary(files).run();
}

}  // namespace prescript
