#include "cli/audit_measures.h"

#include <algorithm>
#include <cmath>

#include "audit/longest_run.h"
#include "base/random.h"
#include "cli/terminal.h"
#include "infer/generated_text.h"
#include "infer/scoring.h"
#include "io/quote.h"

namespace prescript {
namespace {

constexpr int32_t kAdapter = 0;

/// Lines that are scored together.
constexpr int64_t kMaxForestRows = 1 << 15;

/// What an exemplar teaches: text that training saw and no prompt of an audit holds.
std::string taught_text(const Exemplar& exemplar, const HardPrompt& prompt) {
  return answer_text(exemplar, prompt.rationale);
}

std::vector<double> log_likelihoods(std::span<const LogLikelihood> scores) {
  std::vector<double> values;
  for (const LogLikelihood& score : scores) values.push_back(score.log_likelihood);
  return values;
}

}  // namespace

AuditMeasures::AuditMeasures(InferenceInputs& inputs,
                             const AuditExemplars& exemplars,
                             BaseModel& model,
                             const AdapterSet& adapters,
                             const AuditOptions& options)
    : inputs_(inputs),
      exemplars_(exemplars),
      model_(model),
      adapters_(adapters),
      options_(options) {}

Sequence AuditMeasures::scored(const Exemplar& exemplar, int32_t adapter) {
  return inputs_.sequence({&exemplar, adapter}, inputs_.renderer(kAdapter).training(exemplar));
}

std::vector<ExemplarLoss> AuditMeasures::losses(const std::vector<Exemplar>& exemplars,
                                                const char* what) {
  std::vector<std::vector<Sequence>> questions;
  for (const Exemplar& exemplar : exemplars) {
    questions.push_back({scored(exemplar, kAdapter), scored(exemplar, AdapterSet::kBase)});
  }
  Progress progress(what, questions.size());
  const Scores scores = score_questions(model_.decoder(),
                                        adapters_,
                                        questions,
                                        {.max_forest_rows = kMaxForestRows},
                                        [&](size_t num_done, const Scores&) {
                                          if (num_done < questions.size()) progress.show(num_done);
                                        });
  progress.end();
  std::vector<ExemplarLoss> losses;
  for (size_t e = 0; e < exemplars.size(); ++e) {
    const auto loss = [&](const LogLikelihood& score) {
      return -score.log_likelihood / static_cast<double>(score.num_tokens);
    };
    losses.push_back(
        {exemplars[e].id, loss(scores.of_questions[e].at(0)), loss(scores.of_questions[e].at(1))});
    if (std::isfinite(losses.back().with_adapter) && std::isfinite(losses.back().base)) continue;
    throw InputError(ExitCode::kNotFinite,
                     exemplars[e].place + ": the loss of exemplar " + quote(exemplars[e].id) +
                         " is not a number; the model's weights or the adapter are damaged, or "
                         "overflow in this dtype (try --dtype fp32)");
  }
  return losses;
}

Membership AuditMeasures::membership() {
  return infer_membership(losses(exemplars_.members, "members"),
                          losses(exemplars_.non_members, "non-members"),
                          {.seed = options_.seed});
}

std::vector<const Exemplar*> AuditMeasures::some_of(const std::vector<Exemplar>& exemplars,
                                                    const char* what) {
  auto drawn = shuffled_indices(exemplars.size(), RandomStream(options_.seed, what));
  drawn.resize(std::min(drawn.size(), static_cast<size_t>(options_.num_questions)));
  std::vector<const Exemplar*> some;
  for (const size_t i : drawn) some.push_back(&exemplars[i]);
  return some;
}

std::vector<std::vector<std::string>> AuditMeasures::answers(
    const std::vector<const Exemplar*>& exemplars, int32_t adapter, const std::string& who) {
  const Renderer& renderer = inputs_.renderer(kAdapter);
  std::vector<std::vector<std::string>> texts(exemplars.size());
  const auto ask = [&](int64_t num_samples, double temperature) {
    std::vector<GenerationRequest> requests;
    for (const Exemplar* exemplar : exemplars) {
      const RenderedExemplar rendered = renderer.generation(*exemplar);
      for (int64_t i = 0; i < num_samples; ++i) {
        requests.push_back({.id = exemplar->place + ": exemplar " + quote(exemplar->id),
                            .rows = inputs_.sequence({exemplar, adapter}, rendered).rows});
        check_request_fits(
            requests.back(), options_.max_new_tokens, inputs_.base().config.max_positions);
        requests.back().id = who + "/" + exemplar->id + "/" + std::to_string(i);
      }
    }
    Progress progress(who + (temperature == 0 ? ", greedy answers" : ", samples"), requests.size());
    size_t num_done = 0;
    generate(model_.decoder(),
             adapters_,
             requests,
             {.max_new_tokens = options_.max_new_tokens,
              .sampling = {.temperature = temperature, .seed = options_.seed},
              .end_tokens = end_tokens_of(inputs_.base(), renderer)},
             [&](size_t request, const Generation& generation) {
               texts[request / static_cast<size_t>(num_samples)].push_back(
                   text_of(generation, model_.tokenizer()));
               if (++num_done < requests.size()) progress.show(num_done);
             });
    progress.end();
  };
  ask(1, 0);
  if (options_.num_samples > 0) ask(options_.num_samples, options_.temperature);
  return texts;
}

Recitation AuditMeasures::recite(const std::vector<const Exemplar*>& exemplars,
                                 int32_t adapter,
                                 const std::string& who) {
  const HardPrompt& prompt = inputs_.renderer(kAdapter).prompt();
  std::vector<std::string> taught;
  for (const Exemplar& exemplar : exemplars_.members) {
    taught.push_back(taught_text(exemplar, prompt));
  }
  const RunFinder any(taught);
  Recitation result{.who = who, .num_questions = exemplars.size()};
  const auto take_longer = [&](const CommonRun& run,
                               const Exemplar& question,
                               const std::string& exemplar,
                               FoundRun& longest) {
    if (run.num_words <= longest.num_words) return;
    longest = {.num_words = run.num_words,
               .num_characters = num_characters(run.words),
               .num_tokens = model_.tokenizer().encode(run.words, SpecialTokens::kText).size(),
               .question = question.id,
               .exemplar = exemplar,
               .words = run.words};
  };
  const auto texts = answers(exemplars, adapter, who);
  std::vector<double> longest_words;
  for (size_t e = 0; e < exemplars.size(); ++e) {
    const std::string answer = taught_text(*exemplars[e], prompt);
    const RunFinder own(std::span(&answer, 1));
    size_t longest = 0;
    for (const std::string& text : texts[e]) {
      const CommonRun of_own = own.longest(text);
      const CommonRun of_any = any.longest(text);
      longest = std::max(longest, of_own.num_words);
      take_longer(of_own, *exemplars[e], exemplars[e]->id, result.longest_own);
      take_longer(of_any, *exemplars[e], exemplars_.members[of_any.text].id, result.longest_any);
    }
    longest_words.push_back(static_cast<double>(longest));
  }
  result.mean_words = bootstrap_mean(longest_words, {.seed = options_.seed});
  return result;
}

std::vector<Recitation> AuditMeasures::recitations() {
  if (options_.num_questions == 0) return {};
  const auto members = some_of(exemplars_.members, "audited members");
  const auto non_members = some_of(exemplars_.non_members, "audited non-members");
  return {recite(members, kAdapter, "members"),
          recite(members, AdapterSet::kBase, "members, base model"),
          recite(non_members, kAdapter, "non-members")};
}

std::vector<FoundCanary> AuditMeasures::canaries() {
  std::vector<FoundCanary> found;
  if (exemplars_.canaries.empty()) return found;
  Progress progress("canaries", exemplars_.canaries.size());
  for (const Canary& canary : exemplars_.canaries) {
    std::vector<std::string> secrets = {canary.secret};
    for (std::string& other :
         alternative_secrets(canary, options_.num_alternatives, options_.seed)) {
      secrets.push_back(std::move(other));
    }
    std::vector<std::vector<Sequence>> questions(2);
    for (const std::string& secret : secrets) {
      const Exemplar exemplar = canary_exemplar(canary, secret);
      questions[0].push_back(scored(exemplar, kAdapter));
      questions[1].push_back(scored(exemplar, AdapterSet::kBase));
    }
    const Scores scores = score_questions(
        model_.decoder(), adapters_, questions, {.max_forest_rows = kMaxForestRows});
    const auto exposure_of = [&](size_t question) {
      const auto values = log_likelihoods(scores.of_questions[question]);
      return exposure(values[0], std::span(values).subspan(1));
    };
    found.push_back({canary.name, exposure_of(0), exposure_of(1)});
    if (found.size() < exemplars_.canaries.size()) progress.show(found.size());
  }
  progress.end();
  return found;
}

}  // namespace prescript
