#include "cli/output_kind.h"

#include <algorithm>
#include <filesystem>
#include <initializer_list>

#include "base/error.h"
#include "evaluate/evaluation_directory.h"

namespace prescript {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMetrics = "metrics.jsonl";

bool holds(const std::string& output, const char* name) {
  std::error_code absent;
  return fs::exists(fs::symlink_status(fs::path(output) / name, absent));
}

bool holds_any(const std::string& output, std::initializer_list<const char*> names) {
  return std::ranges::any_of(names, [&](const char* name) { return holds(output, name); });
}

}  // namespace

void check_output_kind(const std::string& output, OutputKind kind) {
  const auto refuse = [&](const char* found, const char* mark, const char* reason) {
    throw InputError(ExitCode::kUsage,
                     "output: " + output + " holds " + found + " (" + mark + "), and " + reason +
                         "; choose another directory with output=DIR");
  };
  const bool holds_evaluation = holds(output, kEvaluationJson);
  if (kind == OutputKind::kTrainingRun) {
    if (holds_evaluation) {
      refuse("an evaluation", kEvaluationJson, "a training run takes a directory of its own");
    }
  } else if (!holds_evaluation && holds(output, kMetrics)) {
    refuse("a training run", kMetrics, "an evaluation takes a directory of its own");
  } else if (!holds_evaluation) {
    for (const char* name :
         {kEvaluationRecipe, kQuestions, kRecords, kReportJson, kReportHtml, kAnswers}) {
      if (holds(output, name)) {
        refuse("what no evaluation wrote", name, "an evaluation would replace it");
      }
    }
  }
}

bool is_occupied(const std::string& output, OutputKind kind) {
  if (kind == OutputKind::kTrainingRun) {
    return holds_any(output, {"recipe.yaml", kMetrics, "checkpoints", "adapter"});
  }
  std::error_code absent;
  const auto size = fs::file_size(fs::path(output) / kRecords, absent);
  return (!absent && size > 0) || holds(output, kReportJson);
}

}  // namespace prescript
