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

/// Whether the file has the hash that the adapter holds under `key`; absent: it holds none.
std::optional<bool> has_hash(const std::string& path,
                             const Adapter& adapter,
                             const std::string& key) {
  const auto hash = adapter.provenance.find(key);
  if (hash == adapter.provenance.end()) return std::nullopt;
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
  files.members_are_of_training = has_hash(files.members, adapter, "train_sha256");
  if (files.members_are_of_training == false && !arguments.members) {
    throw InputError(ExitCode::kData,
                     files.members +
                         ": it is not the file any more that the adapter was trained on (its hash "
                         "is another); name that with --members");
  }
  if (has_hash(files.non_members, adapter, "train_sha256") == true) {
    throw InputError(ExitCode::kData,
                     files.non_members +
                         ": it is the file that the adapter was trained on, by its hash; name "
                         "exemplars that it was not trained on with --non-members");
  }
  files.non_members_chose_step =
      has_hash(files.non_members, adapter, "validation_sha256").value_or(false);
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
                         ": none of its exemplars is left; they are the adapter's few-shot "
                         "exemplars, or their review has not accepted them");
  }
  if (files.canaries) exemplars.canaries = read_canaries(*files.canaries);
  return exemplars;
}

}  // namespace prescript
