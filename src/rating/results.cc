#include "rating/results.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "statistics/krippendorff.h"

namespace prescript {
namespace {

/// The options that were chosen on one axis, by question and task.
struct Chosen {
  size_t question;
  size_t source;
  std::vector<size_t> options;  // one a rating
};

std::vector<Chosen> chosen_on(const Axis& axis,
                              const StudyPlan& plan,
                              const std::vector<Rating>& ratings,
                              const std::vector<size_t>& questions) {
  std::vector<Chosen> chosen(plan.tasks.size());
  for (size_t task = 0; task < plan.tasks.size(); ++task) {
    chosen[task] = {questions[task], plan.tasks[task].answers.front().source, {}};
  }
  for (const Rating& rating : ratings) {
    chosen[rating.task].options.push_back(option_index(axis, rating.choices.at(axis.key)));
  }
  return chosen;
}

/// How often each option was chosen about the answers of `source`, question by question.
using Counts = std::vector<std::vector<double>>;  // [question][option]

Counts counts_of(const std::vector<Chosen>& chosen,
                 size_t source,
                 size_t num_questions,
                 size_t num_options) {
  Counts counts(num_questions, std::vector<double>(num_options, 0));
  for (const Chosen& of_task : chosen) {
    if (of_task.source != source) continue;
    for (const size_t option : of_task.options) counts[of_task.question][option] += 1;
  }
  return counts;
}

double total(const std::vector<double>& counts) {
  double sum = 0;
  for (const double count : counts) sum += count;
  return sum;
}

AxisShares shares_of(const Counts& counts,
                     size_t axis,
                     size_t source,
                     size_t num_options,
                     const BootstrapOptions& options) {
  AxisShares shares{.axis = axis, .source = source, .num_ratings = 0, .shares = {}};
  Counts rated;  // questions without a rating are no sample
  for (const auto& of_question : counts) {
    if (total(of_question) > 0) rated.push_back(of_question);
    shares.num_ratings += static_cast<size_t>(total(of_question));
  }
  if (rated.empty()) return shares;
  for (size_t option = 0; option < num_options; ++option) {
    const auto share = [&](std::span<const size_t> drawn) -> std::optional<double> {
      double chosen = 0;
      double all = 0;
      for (const size_t question : drawn) {
        chosen += rated[question][option];
        all += total(rated[question]);
      }
      return chosen / all;
    };
    shares.shares.push_back(bootstrap(rated.size(), share, options).value());
  }
  return shares;
}

AxisAgreement agreement_on(const std::vector<Chosen>& chosen,
                           size_t axis_index,
                           const Axis& axis,
                           size_t num_questions,
                           const BootstrapOptions& options) {
  AxisAgreement agreement{.axis = axis_index, .num_tasks = 0, .alpha = {}};
  std::vector<std::vector<std::vector<size_t>>> by_question(num_questions);
  for (const Chosen& of_task : chosen) {
    if (of_task.options.size() < 2) continue;
    ++agreement.num_tasks;
    by_question[of_task.question].push_back(of_task.options);
  }
  std::erase_if(by_question, [](const auto& units) { return units.empty(); });
  if (by_question.empty()) return agreement;
  const auto alpha = [&](std::span<const size_t> drawn) {
    std::vector<std::vector<size_t>> units;
    for (const size_t question : drawn) {
      units.insert(units.end(), by_question[question].begin(), by_question[question].end());
    }
    return krippendorff_alpha(units,
                              axis.options.size(),
                              axis.is_ordinal ? RatingScale::kOrdinal : RatingScale::kNominal);
  };
  agreement.alpha = bootstrap(by_question.size(), alpha, options);
  return agreement;
}

AxisComparison compare(const Counts& first,
                       const Counts& second,
                       AxisComparison comparison,
                       size_t favourable,
                       const BootstrapOptions& options) {
  std::vector<double> first_shares;
  std::vector<double> second_shares;
  for (size_t question = 0; question < first.size(); ++question) {
    if (total(first[question]) == 0 || total(second[question]) == 0) continue;
    first_shares.push_back(first[question][favourable] / total(first[question]));
    second_shares.push_back(second[question][favourable] / total(second[question]));
  }
  comparison.num_questions = first_shares.size();
  if (!first_shares.empty()) {
    comparison.difference = bootstrap_paired_difference(first_shares, second_shares, options);
  }
  return comparison;
}

}  // namespace

size_t option_index(const Axis& axis, const std::string& option) {
  for (size_t i = 0; i < axis.options.size(); ++i) {
    if (axis.options[i].key == option) return i;
  }
  throw ContractError(axis.key + " has no option " + option);
}

std::vector<size_t> question_of_tasks(const StudyPlan& plan) {
  std::map<std::string, size_t> numbers;
  std::vector<size_t> questions;
  for (const StudyTask& task : plan.tasks) {
    questions.push_back(numbers.try_emplace(task.question_id, numbers.size()).first->second);
  }
  return questions;
}

RatingResults rating_results(const StudyPlan& plan,
                             const std::vector<Axis>& axes,
                             const std::vector<Rating>& ratings,
                             const BootstrapOptions& options) {
  RatingResults results;
  const auto questions = question_of_tasks(plan);
  const size_t num_questions =
      questions.empty() ? 0 : *std::max_element(questions.begin(), questions.end()) + 1;
  for (size_t a = 0; a < axes.size(); ++a) {
    const auto chosen = chosen_on(axes[a], plan, ratings, questions);
    std::vector<Counts> counts;
    for (size_t source = 0; source < plan.sources.size(); ++source) {
      counts.push_back(counts_of(chosen, source, num_questions, axes[a].options.size()));
      results.shares.push_back(
          shares_of(counts.back(), a, source, axes[a].options.size(), options));
    }
    results.agreement.push_back(agreement_on(chosen, a, axes[a], num_questions, options));
    for (size_t first = 0; first < counts.size(); ++first) {
      for (size_t second = first + 1; second < counts.size(); ++second) {
        results.comparisons.push_back(compare(
            counts[first], counts[second], {a, first, second, 0, {}}, axes[a].favourable, options));
      }
    }
  }
  return results;
}

}  // namespace prescript
