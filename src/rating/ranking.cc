#include "rating/ranking.h"

#include <algorithm>

#include "rating/results.h"
#include "statistics/krippendorff.h"

namespace prescript {
namespace {

/// The ratings of one question, each as mid-ranks by source.
using Ranks = std::vector<std::vector<double>>;

double mean_over_raters(const Ranks& ranks, const auto& value_of) {
  double sum = 0;
  for (const auto& of_rater : ranks) sum += value_of(of_rater);
  return sum / static_cast<double>(ranks.size());
}

/// One value a question.
std::vector<double> by_question(const std::vector<Ranks>& questions, const auto& value_of) {
  std::vector<double> values;
  for (const Ranks& ranks : questions) values.push_back(mean_over_raters(ranks, value_of));
  return values;
}

double share_of_first_place(const std::vector<double>& ranks, size_t source) {
  const double best = *std::min_element(ranks.begin(), ranks.end());
  if (ranks[source] != best) return 0;
  return 1.0 / static_cast<double>(std::count(ranks.begin(), ranks.end(), best));
}

/// 1, 1/2 or 0: before, with or behind the other.
double win(const std::vector<double>& ranks, size_t first, size_t second) {
  return ranks[first] == ranks[second] ? 0.5 : (ranks[first] < ranks[second] ? 1 : 0);
}

/// By question, the mid-ranks of every rater.
std::vector<Ranks> ranks_of(const StudyPlan& plan, const std::vector<Rating>& ratings) {
  std::vector<Ranks> questions(plan.tasks.size());
  const auto axes = ranking_axes(plan.sources.size());
  for (const Rating& rating : ratings) {
    const StudyTask& task = plan.tasks[rating.task];
    std::vector<size_t> places(plan.sources.size());
    for (size_t i = 0; i < task.answers.size(); ++i) {
      places[task.answers[i].source] = option_index(axes[i], rating.choices.at(axes[i].key)) + 1;
    }
    questions[rating.task].push_back(mid_ranks(places));
  }
  std::erase_if(questions, [](const Ranks& ranks) { return ranks.empty(); });
  return questions;
}

std::vector<RankedSource> ranked_sources(const std::vector<Ranks>& questions,
                                         size_t num_sources,
                                         const BootstrapOptions& options) {
  std::vector<RankedSource> ranked;
  std::vector<std::vector<double>> places;  // by source
  for (size_t source = 0; source < num_sources; ++source) {
    places.push_back(by_question(questions, [=](const auto& ranks) { return ranks[source]; }));
    const auto first_shares = by_question(
        questions, [=](const auto& ranks) { return share_of_first_place(ranks, source); });
    ranked.push_back({.source = source,
                      .mean_place = bootstrap_mean(places.back(), options),
                      .first_share = bootstrap_mean(first_shares, options),
                      .behind = {},
                      .ties_with_first = false});
  }
  std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) {
    return a.mean_place.value < b.mean_place.value;
  });
  for (size_t i = 1; i < ranked.size(); ++i) {
    ranked[i].behind =
        bootstrap_paired_difference(places[ranked[i].source], places[ranked[0].source], options);
    ranked[i].ties_with_first = ranked[i].behind->low <= 0;
  }
  return ranked;
}

std::vector<PairwiseRank> pairs_of(const std::vector<Ranks>& questions,
                                   size_t num_sources,
                                   const BootstrapOptions& options) {
  std::vector<PairwiseRank> pairs;
  for (size_t first = 0; first < num_sources; ++first) {
    for (size_t second = first + 1; second < num_sources; ++second) {
      PairwiseRank pair{first, second, 0, 0, 0, {}};
      for (const Ranks& ranks : questions) {
        for (const auto& of_rater : ranks) {
          const double won = win(of_rater, first, second);
          ++(won == 1 ? pair.wins : won == 0 ? pair.losses : pair.ties);
        }
      }
      pair.share = bootstrap_mean(
          by_question(questions, [=](const auto& ranks) { return win(ranks, first, second); }),
          options);
      pairs.push_back(pair);
    }
  }
  return pairs;
}

/// The agreement on places: a unit is one answer, its ratings are doubled mid-ranks, so that they
/// are whole.
std::optional<Estimate> alpha_of(const std::vector<Ranks>& questions,
                                 size_t num_sources,
                                 const BootstrapOptions& options) {
  const auto alpha = [&](std::span<const size_t> drawn) {
    std::vector<std::vector<size_t>> units;
    for (const size_t question : drawn) {
      for (size_t source = 0; source < num_sources; ++source) {
        units.emplace_back();
        for (const auto& ranks : questions[question]) {
          units.back().push_back(static_cast<size_t>(2 * ranks[source]));
        }
      }
    }
    return krippendorff_alpha(units, 2 * num_sources + 1, RatingScale::kOrdinal);
  };
  return bootstrap(questions.size(), alpha, options);
}

}  // namespace

std::vector<double> mid_ranks(const std::vector<size_t>& places) {
  std::vector<double> ranks;
  for (const size_t place : places) {
    const auto before =
        std::count_if(places.begin(), places.end(), [&](size_t other) { return other < place; });
    const auto same = std::count(places.begin(), places.end(), place);
    ranks.push_back(static_cast<double>(before) + static_cast<double>(same + 1) / 2);
  }
  return ranks;
}

std::string ranking_verdict(const StudyPlan& plan, const RankingResults& results) {
  std::string tied;
  for (const RankedSource& source : results.sources) {
    if (source.ties_with_first)
      tied += (tied.empty() ? "" : ", ") + plan.sources[source.source].name;
  }
  const std::string first = plan.sources[results.sources.front().source].name;
  return first + " ranks first" +
         (tied.empty()
              ? ", ahead of every other source beyond its interval."
              : ". The interval of the difference leaves open whether it is better than: " + tied +
                    ".");
}

RankingResults ranking_results(const StudyPlan& plan,
                               const std::vector<Rating>& ratings,
                               const BootstrapOptions& options) {
  const auto questions = ranks_of(plan, ratings);
  if (questions.empty()) return {{}, {}, 0, {}};
  const size_t num_sources = plan.sources.size();
  return {.sources = ranked_sources(questions, num_sources, options),
          .pairs = pairs_of(questions, num_sources, options),
          .num_questions = questions.size(),
          .alpha = alpha_of(questions, num_sources, options)};
}

}  // namespace prescript
