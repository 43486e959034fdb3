// prescript inspect: what a file or directory holds.

#include "cli/inspect.h"

#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file_error.h"
#include "cli/commands.h"
#include "cli/facts.h"
#include "cli/number_option.h"
#include "evaluate/evaluation_directory.h"
#include "io/quote.h"
#include "recipe/evaluation_recipe.h"

namespace prescript {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

enum class Kind {
  kModel,
  kAdapter,
  kExemplars,
  kRecipe,
  kEvaluationRecipe,
  kRun,
  kEvaluation,
  kCheckpoint
};

struct Arguments {
  std::string path;
  std::vector<std::string> overrides;
  std::optional<int64_t> example;
  bool json = false;
};

[[noreturn]] void refuse(const std::string& path, const std::string& found) {
  throw InputError(ExitCode::kUsage,
                   path + ": " + found +
                       "; inspect reads a model (GGUF file or Hugging Face directory), an adapter "
                       "directory, exemplars (.jsonl), a recipe (.yaml, .json), the output "
                       "directory of a run or of an evaluation, or a run's checkpoint");
}

bool begins_as_gguf(const std::string& path) {
  char magic[4] = {};
  std::ifstream(path, std::ios::binary).read(magic, sizeof(magic));
  return std::string_view(magic, sizeof(magic)) == "GGUF";
}

Kind kind_of_directory(const fs::path& dir) {
  const auto holds = [&](const char* name) { return is_there(dir / name, ExitCode::kUsage); };
  if (holds("prescript.json") || holds("adapter_config.json")) return Kind::kAdapter;
  if (holds("config.json")) return Kind::kModel;
  if (holds(kEvaluationJson)) return Kind::kEvaluation;
  if (holds("recipe.yaml")) return Kind::kRun;
  refuse(dir, "this directory holds nothing that is known");
}

Kind kind_of(const std::string& path) {
  std::error_code ignored;
  const fs::file_status status = fs::status(path, ignored);
  if (!is_there(path, ExitCode::kUsage) || !fs::exists(status))
    refuse(path, "no such file or directory");
  if (fs::is_directory(status)) return kind_of_directory(path);
  if (!fs::is_regular_file(status)) refuse(path, "it is neither a file nor a directory");
  const std::string extension = fs::path(path).extension();
  if (extension == ".jsonl") return Kind::kExemplars;
  if (extension == ".yaml" || extension == ".yml" || extension == ".json") {
    return is_evaluation_recipe(path) ? Kind::kEvaluationRecipe : Kind::kRecipe;
  }
  if (extension == ".safetensors") return Kind::kCheckpoint;
  if (extension == ".gguf" || begins_as_gguf(path)) return Kind::kModel;
  refuse(path, "this kind of file is not known");
}

ordered_json facts_of(Kind kind,
                      const std::string& path,
                      const std::vector<std::string>& overrides) {
  switch (kind) {
    case Kind::kModel:
      return inspect_model(path);
    case Kind::kAdapter:
      return inspect_adapter(path);
    case Kind::kExemplars:
      return inspect_exemplars(path);
    case Kind::kRecipe:
      return inspect_recipe(path, overrides);
    case Kind::kEvaluationRecipe:
      return inspect_evaluation_recipe(path, overrides);
    case Kind::kEvaluation:
      return inspect_evaluation(path);
    case Kind::kRun:
      return inspect_run(path);
    case Kind::kCheckpoint:
      return inspect_checkpoint(path);
  }
  throw ContractError("unknown kind");
}

int inspect(const Arguments& arguments) {
  const Kind kind = kind_of(arguments.path);
  const bool is_recipe = kind == Kind::kRecipe || kind == Kind::kEvaluationRecipe;
  if (!is_recipe && !arguments.overrides.empty()) {
    throw InputError(ExitCode::kUsage,
                     quote(arguments.overrides.front()) + ": " + arguments.path +
                         " is not a recipe; only a recipe has settings to replace");
  }
  if (!arguments.example) {
    const ordered_json facts = facts_of(kind, arguments.path, arguments.overrides);
    write_facts(facts, arguments.json);
    if (kind == Kind::kModel && !facts.at("supported").get<bool>())
      throw InputError(ExitCode::kModel, "not supported: " + facts.at("reason").get<std::string>());
    return 0;
  }
  if (kind != Kind::kRecipe) {
    throw InputError(ExitCode::kUsage,
                     "--example: " + arguments.path +
                         " is no recipe of a training, and only that says what the model sees of "
                         "an exemplar");
  }
  inspect_example(arguments.path, arguments.overrides, *arguments.example, arguments.json);
  return 0;
}

}  // namespace

void add_inspect(CLI::App& program, Action& action) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = program.add_subcommand(
      "inspect",
      "Say what a model, adapter, exemplars, recipe, run, evaluation or checkpoint holds");
  command->footer(
      "Example: prescript inspect recipes/demo.yaml data.few_shot=2 --example 0\n"
      "Of a model it says whether it is supported (exit 4: no), and what training with the "
      "defaults "
      "would take.\n"
      "Of a recipe it says what it feeds: counts, tokens, the hard prompt, the rows of a step; of "
      "an evaluation's,\nwhat it asks: questions, answers, tokens to generate at most. With "
      "--example\n"
      "it shows the text of one training exemplar (from 0, few-shot ones left out) as the model "
      "sees it, the\n"
      "soft prompt's place and the scored tokens marked; with --json also their ids. No other "
      "form shows the\n"
      "text of exemplars.");
  command->add_option("path", arguments->path, "file or directory")->required()->type_name("PATH");
  command
      ->add_option("overrides", arguments->overrides, "of a recipe: settings that replace its own")
      ->type_name("key.path=value");
  add_number_option(*command,
                    "--example",
                    arguments->example,
                    whole_number(0, INT64_MAX),
                    "what the model sees of training exemplar N")
      ->type_name("N");
  command->add_flag("--json", arguments->json, "one JSON object");
  command->callback([arguments, &action] { action = [arguments] { return inspect(*arguments); }; });
}

}  // namespace prescript
