#include "rating/study_plan.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "base/random.h"
#include "io/quote.h"

namespace prescript {
namespace {

constexpr size_t kMaxRanked = 9;  // one digit key each

const std::vector<std::pair<StudyKind, std::string>> kKinds = {{StudyKind::kClinician, "clinician"},
                                                               {StudyKind::kLay, "lay"},
                                                               {StudyKind::kRanking, "ranking"}};

void check_sources(const std::vector<SourceAnswers>& sources, StudyKind kind) {
  if (sources.empty()) throw InputError(ExitCode::kUsage, "--source: missing; name at least one");
  if (kind == StudyKind::kRanking && (sources.size() < 2 || sources.size() > kMaxRanked)) {
    throw InputError(ExitCode::kUsage,
                     "--source: " + std::to_string(sources.size()) +
                         " sources; a ranking compares 2 to " + std::to_string(kMaxRanked));
  }
  std::set<std::string> names;
  for (const SourceAnswers& answers : sources) {
    if (!names.insert(answers.source.name).second) {
      throw InputError(ExitCode::kUsage,
                       "--source: the name " + quote(answers.source.name) +
                           " comes twice; give each source its own");
    }
  }
}

}  // namespace

std::string name_of(StudyKind kind) {
  return std::find_if(kKinds.begin(), kKinds.end(), [&](const auto& k) { return k.first == kind; })
      ->second;
}

std::optional<StudyKind> study_kind(const std::string& name) {
  for (const auto& [kind, its_name] : kKinds) {
    if (its_name == name) return kind;
  }
  return std::nullopt;
}

StudyPlan draw_study(const std::vector<StudyQuestion>& questions,
                     const std::vector<SourceAnswers>& sources,
                     const DrawOptions& options) {
  check_sources(sources, options.kind);
  StudyPlan plan{.kind = options.kind, .seed = options.seed, .sources = {}, .tasks = {}};
  std::vector<std::map<std::string, std::string>> texts;  // of each source
  for (const SourceAnswers& answers : sources) {
    plan.sources.push_back(answers.source);
    texts.emplace_back(answers.texts.begin(), answers.texts.end());
  }
  std::vector<StudyQuestion> answered;
  for (const StudyQuestion& question : questions) {
    const bool by_all = std::all_of(texts.begin(), texts.end(), [&](const auto& of_one) {
      return of_one.contains(question.id);
    });
    if (by_all) answered.push_back(question);
  }
  if (answered.empty()) {
    throw InputError(ExitCode::kData,
                     "no question is answered by every source; the same ids must stand in all "
                     "files");
  }
  auto drawn = shuffled_indices(answered.size(), RandomStream(options.seed, "study questions"));
  drawn.resize(std::min(drawn.size(), options.limit.value_or(drawn.size())));

  std::vector<StudyTask> tasks;
  for (const size_t index : drawn) {
    const StudyQuestion& question = answered[index];
    StudyTask task{.question_id = question.id, .question = question.text, .answers = {}};
    const auto order = shuffled_indices(
        sources.size(), RandomStream(options.seed, "study answers of " + question.id));
    for (const size_t source : order) {
      task.answers.push_back({source, texts[source].at(question.id)});
      if (options.kind == StudyKind::kRanking) continue;
      tasks.push_back(task);
      task.answers.clear();
    }
    if (options.kind == StudyKind::kRanking) tasks.push_back(task);
  }
  for (const size_t index :
       shuffled_indices(tasks.size(), RandomStream(options.seed, "study tasks"))) {
    plan.tasks.push_back(std::move(tasks[index]));
  }
  return plan;
}

std::vector<Axis> axes_of(const StudyPlan& plan) {
  if (plan.kind == StudyKind::kRanking) return ranking_axes(plan.sources.size());
  const auto axes = plan.kind == StudyKind::kLay ? lay_axes() : clinician_axes();
  return {axes.begin(), axes.end()};
}

}  // namespace prescript
