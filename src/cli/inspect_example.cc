// What the model sees of one training exemplar.

#include <algorithm>

#include <nlohmann/json.hpp>
#include <unistd.h>

#include "base/counted.h"
#include "cli/facts.h"
#include "cli/inspect.h"
#include "cli/run_plan.h"
#include "cli/terminal.h"

namespace prescript {
namespace {

using nlohmann::ordered_json;

/// How scored tokens are marked: reverse video on a terminal, brackets elsewhere.
struct Marks {
  std::string begin;
  std::string end;
  std::string legend;
};

Marks marks() {
  if (::isatty(STDOUT_FILENO) == 1) {
    return {"\033[7m", "\033[27m", "\033[7mscored tokens\033[27m stand in reverse video"};
  }
  return {"[[", "]]", "scored tokens stand in [[ ]]"};
}

/// The bytes that a token stands for; a token that is not in the text shows its own name.
std::string bytes_of_token(const RenderedExemplar& rendered, size_t i, const Tokenizer& tokenizer) {
  const size_t begin = rendered.byte_begin[i];
  const bool is_last = i + 1 == rendered.ids.size();
  const size_t end =
      is_last ? begin + tokenizer.token_bytes(rendered.ids[i]).size() : rendered.byte_begin[i + 1];
  if (begin >= rendered.text.size() || begin == end) return tokenizer.piece(rendered.ids[i]);
  return rendered.text.substr(begin, end - begin);
}

/// The tokens as text, runs of scored ones between marks, `soft_prompt` before token `place`.
std::string marked_text(const RenderedExemplar& rendered,
                        const Tokenizer& tokenizer,
                        size_t place,
                        const std::string& soft_prompt,
                        const Marks& marks) {
  std::string text;
  std::string run;  // of equally marked tokens: a character may be several of them
  bool scored = false;
  const auto end_run = [&] {
    if (run.empty()) return;
    text += scored ? marks.begin + printable(run) + marks.end : printable(run);
    run.clear();
  };
  for (size_t i = 0; i < rendered.ids.size(); ++i) {
    const bool is_target = std::binary_search(
        rendered.targets.begin(), rendered.targets.end(), static_cast<int32_t>(i));
    if (is_target != scored || i == place) end_run();
    if (i == place) text += soft_prompt;
    scored = is_target;
    run += bytes_of_token(rendered, i, tokenizer);
  }
  end_run();
  return text;
}

}  // namespace

void inspect_example(const std::string& recipe_path,
                     const std::vector<std::string>& overrides,
                     int64_t index,
                     bool as_json) {
  const Recipe recipe = read_recipe(recipe_path, overrides);
  const BaseModelFiles base = open_base_model(recipe.base_model);
  const TrainingDataOptions options = training_data_options(recipe);
  const TrainingData data = load_training_data(base, options);
  const auto num_exemplars = static_cast<int64_t>(data.train.size());
  if (index < 0 || index >= num_exemplars) {
    throw InputError(ExitCode::kUsage,
                     "--example: " + std::to_string(index) + " is not in [0, " +
                         std::to_string(num_exemplars - 1) + "]: " + recipe_path + " feeds " +
                         counted(num_exemplars, "training exemplar"));
  }
  const auto& [id, rendered] = data.train[index];
  const Sequence sequence = splice(
      rendered,
      {.index = 0, .num_virtual_tokens = options.num_virtual_tokens, .position = options.position});
  const auto place =
      static_cast<size_t>(std::find_if(sequence.rows.begin(),
                                       sequence.rows.end(),
                                       [](const Row& row) { return row.is_virtual(); }) -
                          sequence.rows.begin());
  if (as_json) {
    write_result(json_line({{"id", id},
                            {"ids", rendered.ids},
                            {"targets", rendered.targets},
                            {"soft_prompt_at", place},
                            {"num_virtual_tokens", options.num_virtual_tokens},
                            {"text", rendered.text}}));
    return;
  }
  const Marks how = marks();
  write_result("exemplar " + printable(id) + ": " + counted(sequence.rows.size(), "row") + ", " +
               std::to_string(rendered.targets.size()) + " of them scored; " + how.legend);
  write_result("");
  write_result(
      marked_text(rendered,
                  *base.tokenizer,
                  place,
                  "<soft prompt: " + counted(options.num_virtual_tokens, "virtual token") + ">",
                  how));
}

}  // namespace prescript
