#include "cli/audit_inputs.h"

#include <filesystem>
#include <map>
#include <set>

#include "base/durable_file.h"
#include "base/hash.h"
#include "cli/terminal.h"
#include "infer/splice.h"
#include "io/quote.h"
#include "recipe/recipe.h"

namespace prescript {
namespace {

namespace fs = std::filesystem;

/// The run that left the adapter where it lies; nothing where there is none.
std::optional<Recipe> recipe_of_run(const fs::path& run_directory) {
  const fs::path path = run_directory / "recipe.yaml";
  if (!fs::exists(path) || !fs::exists(run_directory / "metrics.jsonl")) return std::nullopt;
  return read_recipe(path.string(), {});
}

/// Whether the file is the one that was trained on; an adapter under privacy does not say.
bool is_trained_on(const std::string& path, const Adapter& adapter) {
  const auto hash = adapter.provenance.find("train_sha256");
  if (hash == adapter.provenance.end()) return false;
  const std::string bytes = read_file(path, ExemplarLimits{}.max_file_bytes, ExitCode::kData);
  return sha256_hex(std::string_view(bytes)) == hash->second;
}

using QuestionAndAnswer = std::pair<std::string, std::string>;

QuestionAndAnswer text_of(const Exemplar& exemplar) {
  return {question_text(exemplar), answer_text(exemplar, exemplar.rationale.has_value())};
}

}  // namespace

AuditFiles find_audit_files(const AuditArguments& arguments, const Adapter& adapter) {
  const std::string& dir = arguments.adapter;
  const fs::path run_directory = fs::absolute(dir).lexically_normal() / "..";
  std::optional<Recipe> recipe;
  if (!arguments.members || !arguments.non_members) recipe = recipe_of_run(run_directory);
  AuditFiles files;
  if (arguments.members) {
    files.members = *arguments.members;
  } else if (recipe) {
    files.members = recipe->data.train;
  } else {
    throw InputError(
        ExitCode::kUsage,
        "--members: " + dir +
            " does not lie in the directory of its run; name the exemplars that it was "
            "trained on");
  }
  if (arguments.non_members) {
    files.non_members = *arguments.non_members;
  } else if (recipe && recipe->data.validation) {
    files.non_members = *recipe->data.validation;
  } else {
    throw InputError(ExitCode::kUsage,
                     "--non-members: name exemplars of the same source that the adapter was not "
                     "trained on; its run has no validation set");
  }
  files.members_are_checked = is_trained_on(files.members, adapter);
  if (!files.members_are_checked && !arguments.members &&
      adapter.provenance.contains("train_sha256")) {
    throw InputError(ExitCode::kData,
                     files.members +
                         ": it is not the file any more that the adapter was trained on (its hash "
                         "is another); name that with --members");
  }
  const fs::path canaries = run_directory / "canaries.jsonl";
  if (arguments.canaries) {
    files.canaries = arguments.canaries;
  } else if (fs::exists(canaries)) {
    files.canaries = canaries.lexically_normal().string();
  }
  return files;
}

AuditExemplars read_audit_exemplars(const AuditFiles& files, const Adapter& adapter) {
  AuditExemplars exemplars;
  exemplars.members = read_exemplars(files.members, /*need_answer=*/true);
  exemplars.non_members = read_exemplars(files.non_members, /*need_answer=*/true);
  std::set<QuestionAndAnswer> shown;
  for (const Exemplar& exemplar : hard_prompt_of(adapter.hard_prompt, "the adapter").few_shot) {
    shown.insert(text_of(exemplar));
  }
  const auto is_shown = [&](const Exemplar& exemplar) { return shown.contains(text_of(exemplar)); };
  std::erase_if(exemplars.members, is_shown);
  std::erase_if(exemplars.members, [](const Exemplar& e) { return !is_accepted(e); });
  std::erase_if(exemplars.non_members, is_shown);
  std::map<QuestionAndAnswer, const Exemplar*> members;
  for (const Exemplar& exemplar : exemplars.members) members.emplace(text_of(exemplar), &exemplar);
  for (const Exemplar& exemplar : exemplars.non_members) {
    const auto twin = members.find(text_of(exemplar));
    if (twin == members.end()) continue;
    throw InputError(ExitCode::kData,
                     exemplar.place + ": exemplar " + quote(exemplar.id) + " is also " +
                         twin->second->place +
                         "; members and non-members must be different exemplars");
  }
  if (exemplars.members.empty() || exemplars.non_members.empty()) {
    throw InputError(ExitCode::kData,
                     (exemplars.members.empty() ? files.members : files.non_members) +
                         ": all of its exemplars are the adapter's few-shot exemplars; there is "
                         "nothing to compare");
  }
  if (files.canaries) exemplars.canaries = read_canaries(*files.canaries);
  return exemplars;
}

}  // namespace prescript
