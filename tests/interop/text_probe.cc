// The text side without a model, for comparisons with tokenizers and Jinja2. Reads JSON lines from
// standard input, writes one for each.
//
//   prescript_text_probe tokenize TOKENIZER   vocabulary-only GGUF file, or tokenizer.json
//       "text" -> {"plain": ids, "parsed": ids, "decoded": text} or {"error"}
//   prescript_text_probe render
//       {"template", "messages", "add_generation_prompt", "bos_token", "eos_token", "date"} ->
//       {"output"} or {"error"}
//
// A refused tokenizer: its message on standard error, exit 4.

#include <cstdio>
#include <iostream>
#include <string>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "io/gguf.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace prescript {
namespace {

using nlohmann::json;

std::vector<int32_t> ids_of(const std::vector<Token>& tokens) {
  std::vector<int32_t> ids;
  for (const Token& token : tokens) ids.push_back(token.id);
  return ids;
}

template <typename Answer>
void answer_lines(const Answer& answer) {
  for (std::string line; std::getline(std::cin, line);) {
    json result;
    try {
      result = answer(json::parse(line));
    } catch (const InputError& error) {
      result = {{"error", error.what()}};
    }
    std::cout << result.dump(-1, ' ', false, json::error_handler_t::replace) << '\n';
  }
}

void tokenize(const std::string& path) {
  const Tokenizer tokenizer = path.ends_with(".gguf") ? Tokenizer::from_gguf(*GgufFile::open(path))
                                                      : Tokenizer::from_json_file(path);
  answer_lines([&](const json& line) -> json {
    const auto text = line.get<std::string>();
    const auto plain = ids_of(tokenizer.encode(text, SpecialTokens::kText));
    return {{"plain", plain},
            {"parsed", ids_of(tokenizer.encode(text, SpecialTokens::kParse))},
            {"decoded", tokenizer.decode(plain, /*skip_special=*/false)}};
  });
}

void render() {
  answer_lines([](const json& line) -> json {
    std::vector<ChatMessage> messages;
    for (const json& message : line["messages"]) {
      messages.push_back({message["role"], message["content"]});
    }
    const ChatTemplate chat_template(line["template"].get<std::string>(), "template");
    return {{"output",
             chat_template.render(messages,
                                  {.add_generation_prompt = line["add_generation_prompt"],
                                   .bos_token = line["bos_token"],
                                   .eos_token = line["eos_token"],
                                   .date = line["date"]})}};
  });
}

}  // namespace
}  // namespace prescript

int main(int argc, char** argv) {
  try {
    const std::string command = argc > 1 ? argv[1] : "";
    if (command == "tokenize" && argc == 3) {
      prescript::tokenize(argv[2]);
    } else if (command == "render") {
      prescript::render();
    } else {
      std::fprintf(stderr, "usage: %s tokenize TOKENIZER | render\n", argv[0]);
      return 2;
    }
    return 0;
  } catch (const prescript::InputError& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 4;
  }
}
