#pragma once
// The tiny model on disk, adapters trained on it, and what both read, made by hand.

#include <cstdlib>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "adapter/adapter_files.h"
#include "cli/program.h"
#include "infer/base_model_files.h"
#include "support/tiny_base.h"

namespace prescript {

/// Rows and targets of a text, written out token by token: an oracle of renderings.
class HandMade {
 public:
  HandMade& text(const std::string& bytes) {
    for (const unsigned char byte : bytes) token(byte);
    return *this;
  }
  HandMade& token(int32_t id) {
    if (scored_) sequence.target_positions.push_back(static_cast<int32_t>(sequence.rows.size()));
    sequence.rows.push_back(Row::token(id));
    return *this;
  }
  HandMade& soft_prompt(int32_t index, int32_t num_virtual_tokens) {
    for (int32_t i = 0; i < num_virtual_tokens; ++i) {
      sequence.rows.push_back(Row::virtual_token(index, i));
    }
    return *this;
  }
  /// What follows is scored.
  HandMade& scored() {
    scored_ = true;
    return *this;
  }
  /// The tiny model's template around a message, up to the answer.
  HandMade& chat(const std::string& message) {
    token(kTinyTurnBegins).text("user\n" + message).token(kTinyTurnEnds).text("\n");
    return token(kTinyTurnBegins).text("assistant\n");
  }

  Sequence sequence;

 private:
  bool scored_ = false;
};

/// A model and two adapters: `kind` stands at the start, in chat, behind the instruction "Be
/// kind."; `brief` stands before the question, in plain text, behind a few-shot exemplar.
class TinyFiles : public testing::Test {
 protected:
  static constexpr int32_t kKindTokens = 5;
  static constexpr int32_t kBriefTokens = 3;

  TinyFiles() {
    ::setenv("XDG_CACHE_HOME", (directory_ / "cache").c_str(), 1);
    write_tiny_model(model());
    publish_adapter(kind(), directory_ / "kind");
    publish_adapter(brief(), directory_ / "brief");
  }

  std::string model() const { return directory_ / "tiny"; }

  Adapter kind() const {
    Adapter adapter = tiny_adapter(kKindTokens, 1);
    adapter.identity = open_base_model(model()).identity();
    adapter.hard_prompt.instruction = "Be kind.";
    adapter.has_prescript_json = true;
    return adapter;
  }

  Adapter brief() const {
    Adapter adapter = tiny_adapter(kBriefTokens, 2, PromptPosition::kBeforeQuestion);
    adapter.identity = open_base_model(model()).identity();
    adapter.identity.template_hash.clear();
    adapter.hard_prompt.format = "plain";
    adapter.hard_prompt.few_shot_json = {R"({"id":"shot","question":"Ill?","answer":"Yes."})"};
    adapter.has_prescript_json = true;
    return adapter;
  }

  /// Rows of a question up to its answer, under `kind`, `brief`, or the base.
  static HandMade under_kind(const std::string& question, int32_t index = 0) {
    return HandMade().soft_prompt(index, kKindTokens).chat("Be kind.\n\n" + question);
  }
  static HandMade under_brief(const std::string& question, int32_t index = 1) {
    return HandMade()
        .text("Question: Ill?\nAnswer: Yes.\n\nQuestion: ")
        .soft_prompt(index, kBriefTokens)
        .text(question + "\nAnswer:");
  }
  static HandMade under_base(const std::string& question) { return HandMade().chat(question); }

  /// Runs a command with --model and --input.
  ProcessResult run(const std::string& command,
                    const std::string& input,
                    const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = {
        command, "--model", model(), "--input", directory_.write("input.jsonl", input)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_prescript(arguments);
  }

  std::vector<std::string> with_both(std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {
        "--adapter", directory_ / "kind", "--adapter", directory_ / "brief", "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  TemporaryDirectory directory_;
};

/// The lines of an output, each parsed.
inline std::vector<nlohmann::ordered_json> json_lines(const std::string& text) {
  std::vector<nlohmann::ordered_json> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    lines.push_back(nlohmann::ordered_json::parse(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  return lines;
}

}  // namespace prescript
