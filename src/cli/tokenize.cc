// prescript tokenize: the ids of each line of a file.

#include <memory>
#include <string>

#include <CLI/CLI.hpp>

#include "base/durable_file.h"
#include "cli/commands.h"
#include "cli/terminal.h"
#include "infer/base_model_files.h"

namespace prescript {
namespace {

constexpr uint64_t kMaxInputBytes = uint64_t{4} << 30;

struct Arguments {
  std::string model;
  std::string input;
  bool json = false;
};

std::string array(const std::vector<Token>& tokens, const char* separator) {
  std::string text = "[";
  for (const Token& token : tokens) {
    if (text.size() > 1) text += separator;
    text += std::to_string(token.id);
  }
  return text + "]";
}

int tokenize(const Arguments& arguments) {
  const BaseModelFiles model = open_base_model(arguments.model);
  const std::string text = read_file(arguments.input, kMaxInputBytes);
  size_t line_number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const auto line = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    ++line_number;
    try {
      const auto tokens = model.tokenizer->encode(line, SpecialTokens::kText);
      write_result(array(tokens, arguments.json ? "," : ", "));
    } catch (const InputError& error) {
      throw InputError(error.code(),
                       arguments.input + ":" + std::to_string(line_number) + ": " + error.what());
    }
  }
  return 0;
}

}  // namespace

void add_tokenize(CLI::App& program, Action& action) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command =
      program.add_subcommand("tokenize", "Print the token ids of each line of a file");
  command->footer(
      "A line is plain text: it ends at \\n alone, nothing is trimmed, no BOS is added and "
      "special\n"
      "tokens such as <|im_end|> are text like any other. An empty line gives [].");
  command->add_option("--model", arguments->model, "GGUF file or Hugging Face directory")
      ->required()
      ->type_name("MODEL");
  command->add_option("--input", arguments->input, "text file, UTF-8")
      ->required()
      ->type_name("FILE");
  command->add_flag("--json", arguments->json, "one JSON array a line, without spaces");
  command->callback(
      [arguments, &action] { action = [arguments] { return tokenize(*arguments); }; });
}

}  // namespace prescript
