// prescript score: log-likelihoods of answers and options, under any number of adapters.

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <memory>
#include <sstream>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/facts.h"
#include "cli/inference.h"
#include "cli/terminal.h"
#include "infer/scoring.h"
#include "io/quote.h"

namespace prescript {
namespace {

using nlohmann::ordered_json;

/// Lines that are scored together: what they begin with alike is computed once, and their results
/// come out together.
constexpr int64_t kMaxForestRows = 1 << 17;

struct Arguments {
  InferenceArguments common;
  std::optional<std::string> by;
};

OptionsBy options_by(const std::optional<std::string>& word) {
  if (!word || *word == "letter") return OptionsBy::kLetter;
  if (*word == "text") return OptionsBy::kText;
  throw InputError(ExitCode::kUsage, "--by: " + quote(*word) + " is not one of letter, text");
}

/// The answer of a question, or each of its options.
std::vector<Sequence> sequences_of(InferenceInputs& inputs,
                                   const Question& question,
                                   OptionsBy by) {
  const Renderer& renderer = inputs.renderer(question.adapter);
  const Exemplar& exemplar = *question.exemplar;
  if (exemplar.options.empty()) {
    return {inputs.sequence(question, renderer.training(exemplar))};
  }
  std::vector<Sequence> sequences;
  for (const RenderedExemplar& rendered : renderer.options(exemplar, by)) {
    sequences.push_back(inputs.sequence(question, rendered));
  }
  return sequences;
}

/// Writes results, one line a question or, for people, one a score.
class ResultWriter {
 public:
  ResultWriter(const InferenceInputs& inputs, std::span<const Question> questions, bool json)
      : inputs_(inputs), questions_(questions), json_(json) {
    if (json_) return;
    for (const Question& question : questions) {
      id_width_ = std::max(id_width_, printable(question.exemplar->id).size());
      name_width_ = std::max(name_width_, name_of(question).size());
    }
    write_row({"id", "adapter", "option", "log-likelihood", "tokens"});
  }

  /// Writes the questions that are done and not written yet.
  void write(size_t num_done, const Scores& scores) {
    progress_.end();
    for (; num_written_ < num_done; ++num_written_) {
      const auto& of_question = scores.of_questions[num_written_];
      check_finite(questions_[num_written_], of_question);
      if (json_) {
        write_json(questions_[num_written_], of_question);
      } else {
        write_text(questions_[num_written_], of_question);
      }
    }
    if (num_done < questions_.size()) progress_.show(num_done);
  }

 private:
  struct Line {
    std::string id, adapter, option, log_likelihood, num_tokens;
  };

  static void check_finite(const Question& question, std::span<const LogLikelihood> scores) {
    for (const LogLikelihood& score : scores) {
      if (std::isfinite(score.log_likelihood)) continue;
      throw InputError(ExitCode::kNotFinite,
                       question.exemplar->place + ": the log-likelihood of exemplar " +
                           quote(question.exemplar->id) +
                           " is not a number; the model's weights or the adapter are damaged, or "
                           "overflow in this dtype (try --dtype fp32)");
    }
  }

  std::string name_of(const Question& question) const {
    return printable(inputs_.name(question.adapter).value_or("base model"));
  }

  void write_json(const Question& question, std::span<const LogLikelihood> scores) const {
    const auto facts = [](const LogLikelihood& score) {
      return ordered_json{{"log_likelihood", score.log_likelihood},
                          {"num_tokens", score.num_tokens}};
    };
    const Exemplar& exemplar = *question.exemplar;
    const auto name = inputs_.name(question.adapter);
    ordered_json line = {{"id", exemplar.id},
                         {"adapter", name ? ordered_json(*name) : ordered_json()}};
    if (exemplar.options.empty()) {
      line.update(facts(scores.front()));
    } else {
      for (size_t i = 0; i < scores.size(); ++i) {
        line["options"][exemplar.options[i].letter] = facts(scores[i]);
      }
    }
    write_result(json_line(line));
  }

  void write_text(const Question& question, std::span<const LogLikelihood> scores) const {
    const Exemplar& exemplar = *question.exemplar;
    for (size_t i = 0; i < scores.size(); ++i) {
      std::ostringstream number;
      number << std::fixed << std::setprecision(4) << scores[i].log_likelihood;
      const bool has_options = !exemplar.options.empty();
      write_row({printable(exemplar.id),
                 name_of(question),
                 has_options ? printable(exemplar.options[i].letter) : "",
                 number.str(),
                 std::to_string(scores[i].num_tokens)});
    }
  }

  void write_row(const Line& line) const {
    std::ostringstream text;
    text << std::left << std::setw(static_cast<int>(id_width_) + 2) << line.id
         << std::setw(static_cast<int>(name_width_) + 2) << line.adapter << std::setw(8)
         << line.option << std::right << std::setw(14) << line.log_likelihood << std::setw(8)
         << line.num_tokens;
    write_result(text.str());
  }

  const InferenceInputs& inputs_;
  std::span<const Question> questions_;
  bool json_;
  size_t id_width_ = 2;
  size_t name_width_ = 7;
  size_t num_written_ = 0;
  Progress progress_{"questions", questions_.size()};
};

int score(const Arguments& arguments) {
  const OptionsBy by = options_by(arguments.by);
  InferenceInputs inputs(arguments.common);
  const auto exemplars = read_exemplars(arguments.common.input, /*need_answer=*/true);
  if (arguments.by && std::all_of(exemplars.begin(), exemplars.end(), [](const Exemplar& e) {
        return e.options.empty();
      })) {
    write_warning("--by changes nothing: no exemplar of " + arguments.common.input +
                  " has options");
  }
  const std::vector<Question> questions = inputs.questions(exemplars);
  std::vector<std::vector<Sequence>> sequences;
  sequences.reserve(questions.size());
  for (const Question& question : questions) {
    sequences.push_back(sequences_of(inputs, question, by));
  }

  BaseModel model(inputs.base(), inputs.compute_options());
  AdapterSet adapters(model.decoder());
  inputs.add_adapters_to(adapters);
  ResultWriter results(inputs, questions, arguments.common.json);
  score_questions(model.decoder(),
                  adapters,
                  sequences,
                  {.max_forest_rows = kMaxForestRows},
                  [&](size_t num_done, const Scores& scores) { results.write(num_done, scores); });
  return 0;
}

}  // namespace

void add_score(CLI::App& program, Action& action) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command =
      program.add_subcommand("score", "Log-likelihood of each answer or option, under adapters");
  command->footer(
      "Example: prescript score --model model.gguf --adapter checkpoints/demo/adapter "
      "--input test.jsonl --json\n"
      "Natural logarithms. An answer is scored with its end-of-turn token; of a line with options "
      "each option\n"
      "is scored, its (X) or its text only. A line whose `adapter` field names an adapter (null: "
      "the base model)\n"
      "runs under that one; any other line runs once under each adapter given, or the base where "
      "there is none.\n"
      "The base reads the question behind --instruction alone. --json writes\n"
      "{\"id\",\"adapter\",\"log_likelihood\",\"num_tokens\"}, with options\n"
      "{\"id\",\"adapter\",\"options\":{\"A\":{\"log_likelihood\",\"num_tokens\"},...}}.");
  add_inference_options(*command, arguments->common);
  command
      ->add_option("--input",
                   arguments->common.input,
                   "exemplars, one JSON object a line as for training, with answers")
      ->required()
      ->type_name("FILE.jsonl");
  command
      ->add_option(
          "--by", arguments->by, "score options by their (X) or by their text; default letter")
      ->type_name("letter|text");
  command->callback([arguments, &action] { action = [arguments] { return score(*arguments); }; });
}

}  // namespace prescript
