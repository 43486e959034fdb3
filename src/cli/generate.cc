// prescript generate: answers to questions, under any number of adapters.

#include <memory>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/answer_or_defer.h"
#include "cli/commands.h"
#include "cli/facts.h"
#include "cli/inference.h"
#include "cli/number_option.h"
#include "cli/terminal.h"
#include "infer/generated_text.h"
#include "infer/generator.h"
#include "io/quote.h"
#include "text/utf8.h"
#include "text/white_space.h"

namespace prescript {
namespace {

using nlohmann::ordered_json;

constexpr double kMaxTemperature =
    1e6;  // more is a slip: all tokens are equally likely long before

struct Arguments {
  InferenceArguments common;
  std::optional<std::string> prompt;
  GenerationOptions options;
  bool shapes_samples = false;  // --top-p, --top-k or --seed was given
  bool defer = false;
  bool sets_sampling = false;  // --temperature, --max-new-tokens, --top-p, --top-k, ... was given
};

std::vector<Exemplar> read_input(const Arguments& arguments) {
  if (!arguments.prompt) return read_exemplars(arguments.common.input, /*need_answer=*/false);
  if (first_invalid_utf8(*arguments.prompt)) {
    throw InputError(ExitCode::kUsage, "--prompt: it is not UTF-8; convert the text");
  }
  if (is_blank(*arguments.prompt)) {
    throw InputError(ExitCode::kUsage, "--prompt: it is empty; give a question");
  }
  Exemplar exemplar;
  exemplar.id = "prompt";
  exemplar.place = "--prompt";
  exemplar.question = *arguments.prompt;
  return {std::move(exemplar)};
}

void check_options(const Arguments& arguments) {
  const GenerationOptions& options = arguments.options;
  if (arguments.prompt.has_value() != arguments.common.input.empty()) {
    throw InputError(ExitCode::kUsage, "give either --prompt TEXT or --input FILE.jsonl");
  }
  check_sampling_options(options.sampling);
  if (arguments.defer && arguments.sets_sampling) {
    throw InputError(ExitCode::kUsage,
                     "--defer: the adapter says how its samples are drawn; leave --temperature, "
                     "--top-p, --top-k, --max-new-tokens, --format and --instruction out");
  }
  if (!arguments.defer && arguments.shapes_samples && options.sampling.temperature == 0) {
    write_warning(
        "--top-p, --top-k and --seed change nothing at temperature 0, which takes the "
        "most likely token; sample with --temperature 0.7, say");
  }
}

/// The random streams of a question are keyed by adapter and line: names of adapters hold no '/'.
GenerationRequest request_of(InferenceInputs& inputs,
                             const Question& question,
                             int64_t max_new_tokens) {
  const Exemplar& exemplar = *question.exemplar;
  const RenderedExemplar rendered = inputs.renderer(question.adapter).generation(exemplar);
  GenerationRequest request = {.id = exemplar.place + ": exemplar " + quote(exemplar.id),
                               .rows = inputs.sequence(question, rendered).rows};
  check_request_fits(request, max_new_tokens, inputs.base().config.max_positions);
  request.id = inputs.name(question.adapter).value_or("") + "/" + exemplar.id;
  return request;
}

/// Writes results in the order of the questions, each as soon as those before it are there.
class ResultWriter {
 public:
  ResultWriter(const InferenceInputs& inputs, std::span<const Question> questions, bool json)
      : inputs_(inputs), questions_(questions), json_(json), waiting_(questions.size()) {}

  void add(size_t question, Generation generation) {
    waiting_[question] = std::move(generation);
    for (; next_ < waiting_.size() && waiting_[next_]; ++next_) {
      progress_.end();
      write(questions_[next_], *waiting_[next_]);
      waiting_[next_].reset();
    }
    if (++done_ < waiting_.size()) progress_.show(done_);
  }

 private:
  void write(const Question& question, const Generation& generation) {
    const std::string text = text_of(generation, *inputs_.base().tokenizer);
    const auto name = inputs_.name(question.adapter);
    if (json_) {
      const bool ended = generation.stop == StopReason::kEndOfTurn;
      write_result(json_line({{"id", question.exemplar->id},
                              {"adapter", name ? ordered_json(*name) : ordered_json()},
                              {"text", text},
                              {"num_tokens", generation.ids.size()},
                              {"stop", ended ? "end_of_turn" : "length"}}));
      return;
    }
    if (waiting_.size() > 1) {
      if (next_ > 0) write_result("");
      write_result(
          "== " + printable(question.exemplar->id) +
          (inputs_.has_adapters() ? " [" + printable(name.value_or("base model")) + "]" : ""));
    }
    write_result(printable(text));
  }

  const InferenceInputs& inputs_;
  std::span<const Question> questions_;
  bool json_;
  std::vector<std::optional<Generation>> waiting_;
  size_t next_ = 0;  // the first question that is not written
  size_t done_ = 0;
  Progress progress_{"answers", waiting_.size()};
};

int generate_answers(const Arguments& arguments) {
  check_options(arguments);
  InferenceInputs inputs(arguments.common);
  const std::vector<Exemplar> exemplars = read_input(arguments);
  const std::vector<Question> questions = inputs.questions(exemplars);
  if (arguments.defer) {
    return answer_or_defer(
        inputs, questions, arguments.options.sampling.seed, arguments.common.json);
  }

  // Renderings that end with different tokens are generated apart.
  struct Group {
    std::vector<GenerationRequest> requests;
    std::vector<size_t> question_of;
  };
  std::map<std::vector<int32_t>, Group> groups;
  for (size_t q = 0; q < questions.size(); ++q) {
    Group& group = groups[end_tokens_of(inputs.base(), inputs.renderer(questions[q].adapter))];
    group.requests.push_back(request_of(inputs, questions[q], arguments.options.max_new_tokens));
    group.question_of.push_back(q);
  }

  BaseModel model(inputs.base(), inputs.compute_options());
  AdapterSet adapters(model.decoder());
  inputs.add_adapters_to(adapters);
  ResultWriter results(inputs, questions, arguments.common.json);
  for (const auto& [ends, group] : groups) {
    GenerationOptions options = arguments.options;
    options.end_tokens = ends;
    generate(model.decoder(),
             adapters,
             group.requests,
             options,
             [&, &group = group](size_t i, const Generation& generation) {
               results.add(group.question_of[i], generation);
             });
  }
  return 0;
}

}  // namespace

void add_generate(CLI::App& program, Action& action) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = program.add_subcommand("generate", "Answer questions, under adapters");
  command->footer(
      "Example: prescript generate --model model.gguf --adapter checkpoints/demo/adapter "
      "--prompt 'What is anemia?'\n"
      "A line whose `adapter` field names an adapter (null: the base model) runs under that one; "
      "any other\n"
      "line runs once under each adapter given, or the base where there is none. The base reads "
      "the question\n"
      "behind --instruction alone. --json writes {\"id\",\"adapter\",\"text\",\"num_tokens\","
      "\"stop\"}; stop is\n"
      "end_of_turn or length, num_tokens counts the end token. With --defer, stop may be deferred, "
      "num_tokens are\n"
      "those of all samples, and vote_share is theirs that agree.");
  add_inference_options(*command, arguments->common);
  command->add_option("--prompt", arguments->prompt, "one question")->type_name("TEXT");
  command
      ->add_option("--input",
                   arguments->common.input,
                   "questions, one JSON object a line as for training; no answers needed")
      ->type_name("FILE.jsonl");
  GenerationOptions& options = arguments->options;
  add_number_option(*command,
                    "--max-new-tokens",
                    options.max_new_tokens,
                    whole_number(1, INT64_MAX),
                    "at least 1; default 256")
      ->type_name("N");
  add_number_option(*command,
                    "--temperature",
                    options.sampling.temperature,
                    number(0, kMaxTemperature),
                    "0 takes the most likely token; default 0")
      ->type_name("T");
  auto* top_p = add_number_option(
      *command,
      "--top-p",
      options.sampling.top_p,
      number(0, 1),
      "sample from the fewest likeliest tokens that reach this probability; default 1");
  top_p->type_name("P");
  auto* top_k = add_number_option(*command,
                                  "--top-k",
                                  options.sampling.top_k,
                                  whole_number(0, INT64_MAX),
                                  "sample from the K likeliest tokens; default 0: all");
  top_k->type_name("K");
  auto* seed = add_number_option(
      *command, "--seed", options.sampling.seed, any_seed(), "of the samples; default 1");
  seed->type_name("S");
  command->add_flag("--defer",
                    arguments->defer,
                    "answer a question with options only where enough samples agree, by the "
                    "threshold that prescript evaluate stored in the adapter; else say \"deferred "
                    "to a clinician\"");
  command->callback([=, &action] {
    for (const char* option :
         {"--temperature", "--max-new-tokens", "--top-p", "--top-k", "--format", "--instruction"}) {
      arguments->sets_sampling |= command->count(option) > 0;
    }
    arguments->shapes_samples = top_p->count() + top_k->count() + seed->count() > 0;
    action = [arguments] { return generate_answers(*arguments); };
  });
}

}  // namespace prescript
