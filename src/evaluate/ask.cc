#include "evaluate/ask.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "evaluate/answer_parser.h"
#include "infer/generated_text.h"
#include "infer/generator.h"
#include "infer/splice.h"
#include "io/quote.h"

namespace prescript {
namespace {

/// Rows, unshared, that are scored in one forest.
constexpr int64_t kMaxForestRows = 1 << 15;

/// Rows whose K/V a batch of generations keeps.
constexpr int64_t kMaxKeptRows = 1 << 14;

Renderer renderer_of(const BaseModelFiles& base, const Task& task, Strategy strategy) {
  return {base.tokenizer, base.chat_template, base.path, prompt_of(task, strategy)};
}

SplicedPrompt spliced(int32_t index, const Adapter& adapter) {
  return {.index = index,
          .num_virtual_tokens = adapter.prompt.num_virtual_tokens,
          .position = adapter.position};
}

/// Where and which question, for messages.
std::string place_of(const Exemplar& question) {
  return question.place + ": question " + quote(question.id);
}

int64_t max_new_tokens_of(const Task& task, const NeededComputation& needed, const AskOptions& o) {
  if (task.kind == TaskKind::kLongForm) return o.max_long_form_tokens;
  return needed.prompt == Strategy::kChainOfThought ? o.max_reasoning_tokens : o.max_answer_tokens;
}

/// One computation of a task.
class Asking {
 public:
  Asking(const Task& task,
         const NeededComputation& needed,
         BaseModel& model,
         const AdapterSet& adapters,
         const AskOptions& options,
         const std::function<void(const NeededComputation&, int64_t)>& on_work)
      : task_(task),
        needed_(needed),
        model_(model),
        adapters_(adapters),
        options_(options),
        renderer_(renderer_of(model.files(), task, needed.prompt)) {
    generation_.max_new_tokens = max_new_tokens_of(task, needed, options);
    generation_.end_tokens = end_tokens_of(model.files(), renderer_);
    generation_.max_pass_rows = options.max_pass_rows;
    generation_.max_kept_rows = kMaxKeptRows;
    generation_.sampling.seed = options.seed;
    if (on_work)
      generation_.on_tokens = [this, &on_work](int64_t tokens) { on_work(needed_, tokens); };
    if (needed.computation == Computation::kSamples) {
      num_samples_ = options.num_samples;
      generation_.sampling.temperature = options.temperature;
    }
  }

  RecordKey key(const Exemplar& question, const AskedSystem& system) const {
    return {.task = task_.name,
            .prompt = name_of(needed_.prompt),
            .computation = needed_.computation,
            .system = system.name,
            .id = question.id};
  }

  /// Takes a question; `is_full` says when a chunk is large enough to be computed.
  void add(const Exemplar& question, const AskedSystem& system) {
    keys_.push_back(key(question, system));
    questions_.push_back(&question);
    const auto splice_to = [&](const RenderedExemplar& rendered) {
      if (system.adapter == AdapterSet::kBase) return splice(rendered, {});
      return splice(rendered, spliced(system.adapter, adapters_.adapter(system.adapter)));
    };
    if (needed_.computation == Computation::kOptions) {
      std::vector<Sequence> sequences;
      for (const auto& [is_used, by] :
           {std::pair(task_.use_letter, OptionsBy::kLetter), {task_.use_text, OptionsBy::kText}}) {
        if (!is_used) continue;
        for (const RenderedExemplar& rendered : renderer_.options(question, by)) {
          sequences.push_back(splice_to(rendered));
        }
      }
      for (const Sequence& sequence : sequences) check_length(question, sequence);
      rows_unshared_ += num_unshared_rows(sequences);
      size_ += num_unshared_rows(sequences);
      sequences_.push_back(std::move(sequences));
      return;
    }
    const std::vector<Row> rows = splice_to(renderer_.generation(question)).rows;
    size_ += new_rows(rows, system.adapter) + num_samples_ * generation_.max_new_tokens;
    for (int64_t sample = 0; sample < num_samples_; ++sample) {
      // The key of the random stream: names hold no '/'.
      requests_.push_back(
          {.id = task_.name + "/" + system.name + "/" + std::to_string(sample) + "/" + question.id,
           .rows = rows});
    }
  }

  bool is_full() const {
    return size_ >= (needed_.computation == Computation::kOptions ? kMaxForestRows : kMaxKeptRows);
  }
  bool is_empty() const { return keys_.empty(); }

  /// Computes what was added, and is empty again.
  std::pair<std::vector<Record>, WorkRecord> compute() {
    WorkRecord work = {
        .task = task_.name, .prompt = name_of(needed_.prompt), .computation = needed_.computation};
    auto records =
        needed_.computation == Computation::kOptions ? score(work) : generate_texts(work);
    keys_.clear();
    questions_.clear();
    sequences_.clear();
    requests_.clear();
    rows_before_.clear();
    size_ = rows_unshared_ = 0;
    return {std::move(records), work};
  }

 private:
  void check_length(const Exemplar& question, const Sequence& sequence) const {
    const int64_t limit = model_.config().max_positions;
    if (std::ssize(sequence.rows) <= limit) return;
    throw InputError(ExitCode::kData,
                     place_of(question) + " takes " + std::to_string(sequence.rows.size()) +
                         " tokens with its prompt, the model's context holds " +
                         std::to_string(limit) + "; show fewer few-shot exemplars or leave it out");
  }

  /// Rows that the system's question before does not begin with.
  int64_t new_rows(const std::vector<Row>& rows, int32_t adapter) {
    std::vector<Row>& before = rows_before_[adapter];
    const int64_t count = rows.end() - std::ranges::mismatch(rows, before).in1;
    before = rows;
    return count;
  }

  std::vector<Record> score(WorkRecord& work) {
    const Scores scores = score_questions(
        model_.decoder(), adapters_, sequences_, {.max_pass_rows = options_.max_pass_rows});
    work.rows_computed = scores.rows_computed;
    work.rows_unshared = rows_unshared_;
    std::vector<Record> records;
    for (size_t q = 0; q < keys_.size(); ++q) {
      Record record = {.key = keys_[q]};
      const auto& options = questions_[q]->options;
      for (size_t i = 0; i < options.size(); ++i) {
        OptionScore score = {.letter = options[i].letter};
        size_t next = i;
        if (task_.use_letter) {
          score.by_letter = checked(q, scores.of_questions[q][next]);
          next += options.size();
        }
        if (task_.use_text) score.by_text = checked(q, scores.of_questions[q][next]);
        record.options.push_back(score);
      }
      records.push_back(std::move(record));
    }
    return records;
  }

  LogLikelihood checked(size_t question, const LogLikelihood& score) const {
    if (std::isfinite(score.log_likelihood)) return score;
    throw InputError(ExitCode::kNotFinite,
                     place_of(*questions_[question]) +
                         ": a log-likelihood is not a number; the model's weights or the adapter "
                         "are damaged, or overflow in this dtype (try dtype=fp32)");
  }

  std::vector<Record> generate_texts(WorkRecord& work) {
    const std::vector<Generation> generations =
        generate(model_.decoder(), adapters_, requests_, generation_, {}, &work.rows_computed);
    std::vector<Record> records;
    size_t next = 0;
    for (size_t q = 0; q < keys_.size(); ++q) {
      Record record = {.key = keys_[q]};
      for (int64_t sample = 0; sample < num_samples_; ++sample, ++next) {
        const Generation& generation = generations[next];
        work.rows_unshared += std::ssize(requests_[next].rows) + std::ssize(generation.ids) - 1;
        GeneratedText text = {.text = text_of(generation, model_.tokenizer()),
                              .num_tokens = std::ssize(generation.ids),
                              .cut_off = generation.stop == StopReason::kLength};
        record.answers.push_back(questions_[q]->options.empty()
                                     ? std::nullopt
                                     : parse_answer(text.text, questions_[q]->options));
        record.texts.push_back(std::move(text));
      }
      records.push_back(std::move(record));
    }
    return records;
  }

  const Task& task_;
  NeededComputation needed_;
  BaseModel& model_;
  const AdapterSet& adapters_;
  const AskOptions& options_;
  Renderer renderer_;
  GenerationOptions generation_;
  int64_t num_samples_ = 1;

  // What was added.
  std::vector<RecordKey> keys_;
  std::vector<const Exemplar*> questions_;
  std::vector<std::vector<Sequence>> sequences_;  // to score
  std::vector<GenerationRequest> requests_;
  std::map<int32_t, std::vector<Row>> rows_before_;  // of each adapter
  int64_t size_ = 0;
  int64_t rows_unshared_ = 0;
};

}  // namespace

std::vector<NeededComputation> needed_computations(const Task& task) {
  std::vector<NeededComputation> needed;
  for (const Strategy strategy : {Strategy::kZeroShot, Strategy::kFewShot}) {
    if (!task.has(strategy)) continue;
    if (task.kind == TaskKind::kLongForm) {
      needed.push_back({strategy, Computation::kAnswer});
      continue;
    }
    if (task.use_letter || task.use_text) needed.push_back({strategy, Computation::kOptions});
    if (task.use_generation) needed.push_back({strategy, Computation::kAnswer});
  }
  if (task.kind == TaskKind::kLongForm) return needed;
  if (task.has(Strategy::kChainOfThought)) {
    needed.push_back({Strategy::kChainOfThought, Computation::kAnswer});
  }
  if (task.has(Strategy::kSelfConsistency) || task.has(Strategy::kSelectivePrediction)) {
    needed.push_back({Strategy::kChainOfThought, Computation::kSamples});
  }
  return needed;
}

int64_t work_of(const Task& task, const NeededComputation& needed, const AskOptions& options) {
  if (needed.computation == Computation::kOptions) return 64;
  const int64_t num_texts = needed.computation == Computation::kSamples ? options.num_samples : 1;
  return num_texts * max_new_tokens_of(task, needed, options);
}

int64_t num_samples_of(const Task& task, int64_t self_consistency, int64_t selective) {
  return std::max(task.has(Strategy::kSelfConsistency) ? self_consistency : 0,
                  task.has(Strategy::kSelectivePrediction) ? selective : 0);
}

void check_questions_fit(const Task& task,
                         const BaseModelFiles& base,
                         std::span<const AskedSystem> systems,
                         std::span<const Adapter> adapters,
                         const AskOptions& options) {
  int64_t most_virtual_tokens = 0;
  for (const AskedSystem& system : systems) {
    if (system.adapter == AdapterSet::kBase) continue;
    const Adapter& adapter = adapters[system.adapter];
    most_virtual_tokens = std::max(most_virtual_tokens, adapter.prompt.num_virtual_tokens);
  }
  for (const NeededComputation& needed : needed_computations(task)) {
    const Renderer renderer = renderer_of(base, task, needed.prompt);
    const int64_t room =
        needed.computation == Computation::kOptions ? 0 : max_new_tokens_of(task, needed, options);
    for (const Exemplar& question : task.questions) {
      const int64_t rows = std::ssize(renderer.generation(question).ids) + most_virtual_tokens;
      if (rows + room <= base.config.max_positions) continue;
      throw InputError(
          ExitCode::kData,
          place_of(question) + " takes " + std::to_string(rows) + " tokens with the prompt of " +
              name_of(needed.prompt) + " and its answer " + std::to_string(room) +
              "; the model's context holds " + std::to_string(base.config.max_positions) +
              ": show fewer few-shot exemplars, lower max_new_tokens, or leave it out");
    }
  }
}

void ask(const Task& task,
         BaseModel& model,
         const AdapterSet& adapters,
         std::span<const AskedSystem> systems,
         const AskOptions& options,
         const std::function<bool(const RecordKey&)>& is_done,
         const std::function<void(std::span<const Record>, const WorkRecord&)>& on_records,
         const std::function<void(const NeededComputation&, int64_t)>& on_work) {
  for (const NeededComputation& needed : needed_computations(task)) {
    Asking asking(task, needed, model, adapters, options, on_work);
    const auto compute = [&] {
      if (asking.is_empty()) return;
      const auto [records, work] = asking.compute();
      on_records(records, work);
    };
    for (const Exemplar& question : task.questions) {
      for (const AskedSystem& system : systems) {
        if (is_done(asking.key(question, system))) continue;
        asking.add(question, system);
      }
      if (asking.is_full()) compute();
    }
    compute();
  }
}

}  // namespace prescript
