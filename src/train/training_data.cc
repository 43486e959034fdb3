#include "train/training_data.h"

#include <algorithm>
#include <set>

#include "base/counted.h"
#include "base/durable_file.h"
#include "base/hash.h"
#include "base/random.h"
#include "io/quote.h"

namespace prescript {
namespace {

/// Reads a file once: the hash is that of the exemplars, whatever happens to the file. Those that
/// their review has not accepted are counted and left out.
std::vector<Exemplar> read_hashed(const std::string& path,
                                  std::string& hash,
                                  int64_t& not_accepted) {
  const std::string bytes = read_file(path, ExemplarLimits{}.max_file_bytes, ExitCode::kData);
  hash = sha256_hex(std::string_view(bytes));
  auto exemplars = parse_exemplars(bytes, path, /*need_answer=*/true);
  not_accepted += static_cast<int64_t>(
      std::erase_if(exemplars, [](const Exemplar& exemplar) { return !is_accepted(exemplar); }));
  if (exemplars.empty()) {
    throw InputError(ExitCode::kData,
                     path +
                         ": no exemplar is left: each has a review that has not accepted it; have "
                         "them reviewed first");
  }
  return exemplars;
}

/// An exemplar that is planted must be told from those of the file.
void check_ids_are_free(const std::vector<Exemplar>& planted, const std::vector<Exemplar>& train) {
  std::set<std::string> ids;
  for (const Exemplar& exemplar : planted) ids.insert(exemplar.id);
  for (const Exemplar& exemplar : train) {
    if (!ids.contains(exemplar.id)) continue;
    throw InputError(ExitCode::kData,
                     exemplar.place + ": the id " + quote(exemplar.id) +
                         " is a canary's; give the exemplar another");
  }
}

void check_fits(const Exemplar& exemplar, const Sequence& sequence, int64_t max_positions) {
  const auto rows = static_cast<int64_t>(sequence.rows.size());
  if (rows <= max_positions) return;
  throw InputError(ExitCode::kData,
                   exemplar.place + ": exemplar " + quote(exemplar.id) + " takes " +
                       std::to_string(rows) +
                       " tokens with its prompt, the model's context holds " +
                       std::to_string(max_positions) + "; shorten it or leave it out");
}

std::vector<TrainingExemplar> render_all(const std::vector<Exemplar>& exemplars,
                                         const Renderer& renderer,
                                         const SplicedPrompt& prompt,
                                         int64_t max_positions) {
  std::vector<TrainingExemplar> rendered;
  for (const Exemplar& exemplar : exemplars) {
    rendered.push_back({exemplar.id, renderer.training(exemplar)});
    check_fits(exemplar, splice(rendered.back().rendered, prompt), max_positions);
  }
  return rendered;
}

/// The first rows that all exemplars have in common, up to where the first soft prompt stands.
std::vector<Row> common_head_start(const TrainingData& data, PromptPosition position) {
  const std::vector<int32_t>& first = data.train.front().rendered.ids;
  size_t size = first.size();
  for (const auto* exemplars : {&data.train, &data.validation}) {
    for (const TrainingExemplar& exemplar : *exemplars) {
      const std::vector<int32_t>& ids = exemplar.rendered.ids;
      size = std::min(size, place_of_soft_prompt(exemplar.rendered, position));
      const auto end = first.begin() + static_cast<ptrdiff_t>(size);
      size = static_cast<size_t>(std::mismatch(first.begin(), end, ids.begin(), ids.end()).first -
                                 first.begin());
    }
  }
  std::vector<Row> rows;
  for (size_t i = 0; i < size; ++i) rows.push_back(Row::token(first[i]));
  return rows;
}

}  // namespace

std::vector<Exemplar> draw_few_shot(std::vector<Exemplar>& exemplars,
                                    int64_t count,
                                    uint64_t seed,
                                    const std::string& path) {
  if (count >= static_cast<int64_t>(exemplars.size())) {
    throw InputError(ExitCode::kData,
                     path + ": data.few_shot: " + std::to_string(count) + " of " +
                         counted(exemplars.size(), "exemplar") +
                         " would leave none to train on; use fewer");
  }
  auto drawn = shuffled_indices(exemplars.size(), RandomStream(seed, "few-shot exemplars"));
  drawn.resize(static_cast<size_t>(count));
  const std::set<size_t> chosen(drawn.begin(), drawn.end());
  std::vector<Exemplar> few_shot;
  std::vector<Exemplar> rest;
  for (size_t i = 0; i < exemplars.size(); ++i) {
    (chosen.contains(i) ? few_shot : rest).push_back(std::move(exemplars[i]));
  }
  exemplars = std::move(rest);
  return few_shot;
}

TrainingData load_training_data(const BaseModelFiles& base, const TrainingDataOptions& options) {
  TrainingData data;
  auto train = read_hashed(options.train_path, data.train_hash, data.not_accepted);
  std::vector<Exemplar> validation;
  if (options.validation_path) {
    validation = read_hashed(*options.validation_path, data.validation_hash, data.not_accepted);
  }
  std::set<std::string> unused;
  for (const auto* exemplars : {&train, &validation}) {
    for (const Exemplar& exemplar : *exemplars) {
      unused.insert(exemplar.unused_fields.begin(), exemplar.unused_fields.end());
      data.without_rationale += options.rationale && !exemplar.rationale ? 1 : 0;
    }
  }
  data.unused_fields.assign(unused.begin(), unused.end());

  data.hard_prompt = {.format = options.format,
                      .instruction = options.instruction,
                      .few_shot = {},
                      .rationale = options.rationale,
                      .date = options.date};
  if (options.few_shot > 0) {
    data.hard_prompt.few_shot =
        draw_few_shot(train, options.few_shot, options.seed, options.train_path);
  }
  check_ids_are_free(options.planted, train);
  train.insert(train.end(), options.planted.begin(), options.planted.end());
  const Renderer renderer(base.tokenizer, base.chat_template, base.path, data.hard_prompt);
  const SplicedPrompt prompt{.num_virtual_tokens = options.num_virtual_tokens,
                             .position = options.position};
  data.train = render_all(train, renderer, prompt, base.config.max_positions);
  data.validation = render_all(validation, renderer, prompt, base.config.max_positions);
  data.head_start = common_head_start(data, options.position);
  data.hard_prompt = renderer.prompt();
  data.end_tokens = renderer.end_tokens();
  data.template_hash = renderer.template_hash();
  return data;
}

}  // namespace prescript
