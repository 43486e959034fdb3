#include "cli/inference.h"

#include <algorithm>

#include <CLI/CLI.hpp>

#include "adapter/adapter_files.h"
#include "cli/terminal.h"
#include "io/quote.h"
#include "text/utf8.h"
#include "text/white_space.h"

namespace prescript {
namespace {

std::optional<PromptFormat> format_of(const std::optional<std::string>& word) {
  if (!word) return std::nullopt;
  if (*word == "chat") return PromptFormat::kChat;
  if (*word == "plain") return PromptFormat::kPlain;
  throw InputError(ExitCode::kUsage, "--format: " + quote(*word) + " is not one of chat, plain");
}

DType dtype_of(const std::string& word, ExitCode code, const std::string& place) {
  if (word == "fp32") return DType::kFloat32;
  if (word == "bf16") return DType::kBFloat16;
  throw InputError(code, place + ": " + quote(word) + " is not one of fp32, bf16");
}

WeightFormat weight_format_of(const std::string& word) {
  if (word == "converted") return WeightFormat::kConverted;
  if (word == "as_stored") return WeightFormat::kAsStored;
  if (word == "streamed") return WeightFormat::kStreamed;
  throw InputError(ExitCode::kUsage,
                   "--weights: " + quote(word) + " is not one of converted, as_stored, streamed");
}

/// The dtype of the command line, else the one that the adapters were trained in, else bf16.
DType choose_dtype(const std::optional<std::string>& word,
                   std::span<const AdapterArgument> names,
                   std::span<const Adapter> adapters) {
  if (word) return dtype_of(*word, ExitCode::kUsage, "--dtype");
  std::optional<size_t> first;  // that says what it was trained in
  for (size_t i = 0; i < adapters.size(); ++i) {
    if (!adapters[i].has_prescript_json) continue;
    if (first && adapters[i].dtype != adapters[*first].dtype) {
      throw InputError(ExitCode::kUsage,
                       "--adapter: " + names[*first].dir + " was trained in " +
                           adapters[*first].dtype + ", " + names[i].dir + " in " +
                           adapters[i].dtype + "; choose with --dtype (in a recipe: dtype)");
    }
    if (!first) first = i;
  }
  if (!first) return DType::kBFloat16;
  return dtype_of(adapters[*first].dtype, ExitCode::kModel, names[*first].dir + ": dtype");
}

void check_instruction(const std::optional<std::string>& instruction) {
  if (!instruction || instruction->empty()) return;  // '' is none
  if (first_invalid_utf8(*instruction)) {
    throw InputError(ExitCode::kUsage, "--instruction: it is not UTF-8; convert the text");
  }
  if (is_blank(*instruction)) {
    throw InputError(ExitCode::kUsage, "--instruction: it is blank; give a text, or '' for none");
  }
}

}  // namespace

void add_inference_options(CLI::App& command, InferenceArguments& arguments) {
  command.add_option("--model", arguments.model, "GGUF file or Hugging Face directory")
      ->required()
      ->type_name("MODEL");
  command
      .add_option("--adapter",
                  arguments.adapters,
                  "adapter directory; may be given several times. NAME defaults to the folder's "
                  "name, or its parent's where that is `adapter`")
      ->allow_extra_args(false)
      ->type_name("[NAME=]DIR");
  command
      .add_option("--format",
                  arguments.format,
                  "chat (the model's template) or plain; default: the adapter's own, for the base "
                  "chat where it has a template")
      ->type_name("chat|plain");
  command
      .add_option("--instruction",
                  arguments.instruction,
                  "text before the question, '' for none; default: the adapter's own")
      ->type_name("TEXT");
  command
      .add_option("--dtype",
                  arguments.dtype,
                  "fp32 or bf16; default: as the adapters were trained, else bf16")
      ->type_name("fp32|bf16");
  command
      .add_option("--device",
                  arguments.device,
                  "where it computes; auto: cuda where there is a card, else cpu. Default: auto")
      ->type_name("cpu|cuda|auto");
  command
      .add_option(
          "--weights",
          arguments.weights,
          "converted: in memory; as_stored: they stay in their file, which takes less memory "
          "and more time; streamed: a layer at a time is in memory. Default: converted")
      ->type_name("converted|as_stored|streamed");
  command.add_flag("--allow-other-base",
                   arguments.allow_other_base,
                   "use adapters of another file of the same architecture and tokenizer");
  command.add_flag("--json", arguments.json, "one JSON object a line");
}

InferenceInputs::InferenceInputs(const InferenceArguments& arguments)
    : names_(read_adapter_arguments(arguments.adapters)),
      format_(format_of(arguments.format)),
      instruction_(arguments.instruction),
      device_(arguments.device),
      weights_(weight_format_of(arguments.weights)) {
  check_device(device_);
  check_instruction(instruction_);
  if (arguments.dtype) choose_dtype(arguments.dtype, {}, {});  // a mistake in it comes first
  base_ = open_base_model(arguments.model);
  for (const AdapterArgument& argument : names_) {
    adapters_.push_back(read_adapter(argument.dir));
    const auto warning =
        check_adapter_fits(adapters_.back(), argument.dir, base_, arguments.allow_other_base);
    if (warning) write_warning(*warning);
  }
  dtype_ = choose_dtype(arguments.dtype, names_, adapters_);
}

std::vector<Question> InferenceInputs::questions(std::span<const Exemplar> exemplars) const {
  const auto num_adapters = static_cast<int32_t>(adapters_.size());
  const auto named = [&](const Exemplar& exemplar) {
    const auto& name = *exemplar.adapter;
    if (!name) return AdapterSet::kBase;
    std::string known;
    for (int32_t i = 0; i < num_adapters; ++i) {
      if (names_[i].name == *name) return i;
      known += (known.empty() ? "" : ", ") + names_[i].name;
    }
    throw InputError(ExitCode::kData,
                     exemplar.place + ": adapter: " + quote(*name) + " is not given; " +
                         (known.empty() ? "none is" : "those given are " + known) +
                         " (--adapter NAME=DIR), and null is the base");
  };
  std::vector<Question> questions;
  for (const Exemplar& exemplar : exemplars) {
    if (exemplar.adapter) {
      questions.push_back({&exemplar, named(exemplar)});
    } else if (num_adapters == 0) {
      questions.push_back({&exemplar, AdapterSet::kBase});
    } else {
      for (int32_t i = 0; i < num_adapters; ++i) questions.push_back({&exemplar, i});
    }
  }
  return questions;
}

HardPrompt InferenceInputs::hard_prompt(int32_t adapter) const {
  HardPrompt prompt;
  // The base, and an adapter that does not say what it was trained with, read what the model reads
  // by itself.
  if (adapter != AdapterSet::kBase && adapters_[adapter].has_prescript_json) {
    prompt = hard_prompt_of(adapters_[adapter].hard_prompt, names_[adapter].dir);
  } else {
    prompt.format = base_.chat_template ? PromptFormat::kChat : PromptFormat::kPlain;
  }
  if (format_) prompt.format = *format_;
  if (instruction_) {
    prompt.instruction = instruction_->empty() ? std::nullopt : instruction_;
    prompt.instruction_code = ExitCode::kUsage;
  }
  return prompt;
}

const Renderer& InferenceInputs::renderer(int32_t adapter) {
  auto found = renderers_.find(adapter);
  if (found == renderers_.end()) {
    Renderer made(base_.tokenizer, base_.chat_template, base_.path, hard_prompt(adapter));
    found = renderers_.emplace(adapter, std::move(made)).first;
  }
  return found->second;
}

Sequence InferenceInputs::sequence(const Question& question,
                                   const RenderedExemplar& rendered) const {
  SplicedPrompt prompt;
  if (question.adapter != AdapterSet::kBase) {
    const Adapter& adapter = adapters_[question.adapter];
    prompt = {.index = question.adapter,
              .num_virtual_tokens = adapter.prompt.num_virtual_tokens,
              .position = adapter.position};
  }
  Sequence sequence = splice(rendered, prompt);
  const auto num_rows = static_cast<int64_t>(sequence.rows.size());
  if (num_rows > base_.config.max_positions) {
    throw InputError(
        ExitCode::kData,
        question.exemplar->place + ": exemplar " + quote(question.exemplar->id) + " takes " +
            std::to_string(num_rows) + " tokens with its prompt, the model's context holds " +
            std::to_string(base_.config.max_positions) + "; shorten it or leave it out");
  }
  return sequence;
}

std::optional<std::string> InferenceInputs::name(int32_t adapter) const {
  if (adapter == AdapterSet::kBase) return std::nullopt;
  return names_[adapter].name;
}

void InferenceInputs::add_adapters_to(AdapterSet& set) const {
  for (size_t i = 0; i < adapters_.size(); ++i) set.add(names_[i].name, adapters_[i]);
}

}  // namespace prescript
