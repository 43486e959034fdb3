#include "cli/answer_or_defer.h"

#include <algorithm>
#include <iomanip>
#include <map>
#include <sstream>

#include <nlohmann/json.hpp>

#include "adapter/deferral.h"
#include "cli/facts.h"
#include "cli/terminal.h"
#include "evaluate/answer_parser.h"
#include "infer/generated_text.h"
#include "io/quote.h"
#include "statistics/plurality.h"

namespace prescript {
namespace {

using nlohmann::ordered_json;

/// How an adapter's samples are drawn.
struct Voting {
  AdapterDeferral deferral;
  Renderer renderer;
  GenerationOptions options;
};

Voting voting_of(const InferenceInputs& inputs, const Question& question, uint64_t seed) {
  if (question.adapter == AdapterSet::kBase) {
    throw InputError(ExitCode::kUsage,
                     "--defer: the base model has no threshold; give an adapter, for which "
                     "prescript evaluate stored one (selective_prediction.threshold_from)");
  }
  const std::string name = *inputs.name(question.adapter);
  auto deferral = deferral_of(inputs.adapters()[question.adapter], name);
  if (!deferral) {
    throw InputError(ExitCode::kUsage,
                     "--defer: adapter " + name +
                         " has no threshold; prescript evaluate stores one "
                         "(selective_prediction.threshold_from)");
  }
  const BaseModelFiles& base = inputs.base();
  Renderer renderer(
      base.tokenizer, base.chat_template, base.path, hard_prompt_of(deferral->hard_prompt, name));
  GenerationOptions options = {.max_new_tokens = deferral->max_new_tokens,
                               .sampling = {.temperature = deferral->temperature, .seed = seed},
                               .end_tokens = end_tokens_of(base, renderer)};
  return {*std::move(deferral), std::move(renderer), std::move(options)};
}

/// The samples of one question; names of adapters hold no '/'.
std::vector<GenerationRequest> requests_of(const InferenceInputs& inputs,
                                           const Question& question,
                                           const Voting& voting) {
  const Exemplar& exemplar = *question.exemplar;
  if (exemplar.options.empty()) {
    throw InputError(ExitCode::kData,
                     exemplar.place + ": exemplar " + quote(exemplar.id) +
                         " has no options to vote for; --defer answers multiple choice only");
  }
  const std::vector<Row> rows =
      inputs.sequence(question, voting.renderer.generation(exemplar)).rows;
  std::vector<GenerationRequest> requests;
  for (int64_t sample = 0; sample < voting.deferral.num_samples; ++sample) {
    requests.push_back(
        {.id = *inputs.name(question.adapter) + "/" + std::to_string(sample) + "/" + exemplar.id,
         .rows = rows});
  }
  return requests;
}

struct Answer {
  std::string text;
  int64_t num_tokens = 0;  // of all samples
  std::string stop;
  double vote_share = 0;
};

Answer vote_on(const Question& question,
               const Voting& voting,
               const std::vector<Generation>& samples,
               const Tokenizer& tokenizer) {
  const auto& options = question.exemplar->options;
  std::vector<std::optional<size_t>> votes;
  Answer answer;
  for (const Generation& sample : samples) {
    const auto letter = parse_answer(text_of(sample, tokenizer), options);
    votes.push_back(std::nullopt);
    if (letter) {
      votes.back() = std::ranges::find(options, *letter, &AnswerOption::letter) - options.begin();
    }
    answer.num_tokens += std::ssize(sample.ids);
  }
  const Vote vote = plurality_vote(votes);
  answer.vote_share = vote.share;
  if (!vote.winner || vote.share < voting.deferral.vote_share) {
    answer.text = "deferred to a clinician";
    answer.stop = "deferred";
    return answer;
  }
  const Generation& first = samples[std::ranges::find(votes, vote.winner) - votes.begin()];
  answer.text = text_of(first, tokenizer);
  answer.stop = first.stop == StopReason::kEndOfTurn ? "end_of_turn" : "length";
  return answer;
}

void write(const InferenceInputs& inputs,
           const Question& question,
           const Answer& answer,
           bool json) {
  const std::string name = *inputs.name(question.adapter);
  if (json) {
    write_result(json_line({{"id", question.exemplar->id},
                            {"adapter", name},
                            {"text", answer.text},
                            {"num_tokens", answer.num_tokens},
                            {"stop", answer.stop},
                            {"vote_share", answer.vote_share}}));
    return;
  }
  std::ostringstream head;
  head << "== " << printable(question.exemplar->id) << " [" << printable(name) << "], vote share "
       << std::fixed << std::setprecision(2) << answer.vote_share;
  write_result(head.str());
  write_result(printable(answer.text));
}

}  // namespace

int answer_or_defer(const InferenceInputs& inputs,
                    std::span<const Question> questions,
                    uint64_t seed,
                    bool json) {
  std::map<int32_t, Voting> voting;
  std::vector<std::vector<GenerationRequest>> requests;
  for (const Question& question : questions) {
    if (!voting.contains(question.adapter)) {
      voting.emplace(question.adapter, voting_of(inputs, question, seed));
    }
    requests.push_back(requests_of(inputs, question, voting.at(question.adapter)));
    check_request_fits(requests.back().front(),
                       voting.at(question.adapter).deferral.max_new_tokens,
                       inputs.base().config.max_positions);
  }
  BaseModel model(inputs.base(), inputs.compute_options());
  AdapterSet adapters(model.decoder());
  inputs.add_adapters_to(adapters);
  Progress progress("answers", questions.size());
  for (size_t q = 0; q < questions.size(); ++q) {
    const Voting& how = voting.at(questions[q].adapter);
    const auto samples = generate(model.decoder(), adapters, requests[q], how.options);
    progress.end();
    write(inputs, questions[q], vote_on(questions[q], how, samples, model.tokenizer()), json);
    if (q + 1 < questions.size()) progress.show(q + 1);
  }
  return 0;
}

}  // namespace prescript
