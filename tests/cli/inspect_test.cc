#include <gmock/gmock.h>

#include "cli/tiny_files.h"
#include "model/gguf_bytes.h"
#include "support/damage.h"

namespace prescript {
namespace {

using nlohmann::ordered_json;
using testing::HasSubstr;
using testing::Not;

class InspectCommand : public TinyFiles {
 protected:
  ProcessResult inspect(const std::string& path, std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"inspect", path});
    return run_prescript(more);
  }

  ordered_json facts(const std::string& path, std::vector<std::string> more = {}) const {
    more.emplace_back("--json");
    const auto result = inspect(path, more);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 1) << result.out;
    return result.exit_code == 0 ? ordered_json::parse(result.out) : ordered_json();
  }

  /// A recipe over these exemplars.
  std::string recipe(const std::string& exemplars, const std::string& more = "") const {
    directory_.write("train.jsonl", exemplars);
    return directory_.write("recipe.yaml",
                            "base_model: " + model() + "\noutput: " + (directory_ / "out") +
                                "\nsoft_prompt: {num_virtual_tokens: 4}\n"
                                "data:\n  train: " +
                                (directory_ / "train.jsonl") + "\n" + more);
  }
};

TEST_F(InspectCommand, AModelIsItsShapeTokenizerAndIdentity) {
  const ordered_json found = facts(model());
  EXPECT_EQ(found.at("kind"), "model");
  EXPECT_EQ(found.at("architecture").at("hidden_size"), 32);
  EXPECT_EQ(found.at("architecture").at("num_kv_heads"), 2);
  EXPECT_EQ(found.at("architecture").at("norm_epsilon"), 1e-5);
  EXPECT_EQ(found.at("tokenizer").at("num_tokens"), kTinyVocabularySize);
  EXPECT_EQ(found.at("tokenizer").at("end_tokens").at(0), "256 <|endoftext|>");
  EXPECT_EQ(found.at("tokenizer").at("end_of_turn"), "258 <|im_end|>");
  // Embedding, two layers of two norms, queries and outputs, keys and values, feed-forward, norm.
  EXPECT_EQ(found.at("weights").at("num_parameters"),
            259 * 32 + 2 * (2 * 32 + 2 * 32 * 32 + 2 * 16 * 32 + 3 * 48 * 32) + 32);
  // The embedding, nine tensors a layer and the last norm.
  const int64_t num_parameters = found.at("weights").at("num_parameters");
  EXPECT_EQ(found.at("weights").at("types"),
            (ordered_json{{"F32", {{"tensors", 20}, {"bytes", 4 * num_parameters}}}}));
  EXPECT_EQ(found.at("weights").at("files"), 1);
  EXPECT_EQ(found.at("weights").at("file_bytes"),
            std::filesystem::file_size(model() + "/model.safetensors"));
  EXPECT_EQ(found.at("supported"), true);
  EXPECT_EQ(found.at("tokenizer").at("model"), "byte-level BPE");
  EXPECT_EQ(found.at("tokenizer").at("chat_template"), "supported");
}

TEST_F(InspectCommand, AModelWhoseLayersSlideTellsItsWindow) {
  write_tiny_model(directory_ / "sliding", {.window = 9});
  const ordered_json architecture = facts(directory_ / "sliding").at("architecture");
  EXPECT_EQ(architecture.at("family"), "mistral");
  EXPECT_EQ(architecture.at("window"), 9);
  EXPECT_EQ(architecture.at("layers_in_window"), 2);
  EXPECT_FALSE(facts(model()).at("architecture").contains("window"));
}

TEST_F(InspectCommand, AModelTellsWhatEstimateTellsOfItsTraining) {
  // In format plain "\nAnswer: " and <|endoftext|> make 256 tokens of it, half of them targets.
  std::string exemplars;
  for (int i = 0; i < 32; ++i) {
    const ordered_json exemplar = {{"question", std::string(119, static_cast<char>('A' + i))},
                                   {"answer", std::string(127, 'x')}};
    exemplars += exemplar.dump() + "\n";
  }
  directory_.write("train.jsonl", exemplars);
  const std::string recipe = directory_.write(
      "recipe.yaml",
      "base_model: " + model() + "\noutput: " + (directory_ / "out") +
          "\ndata:\n  format: plain\n  train: " + (directory_ / "train.jsonl") + "\n");
  const auto estimate = run_prescript({"estimate", recipe, "--json"});
  ASSERT_EQ(estimate.exit_code, 0) << estimate.err;
  ordered_json expected = ordered_json::parse(estimate.out);
  ordered_json found = facts(model()).at("training");
  EXPECT_EQ(found.at("exemplar_tokens"), 256);
  EXPECT_EQ(found.at("dtype"), "bf16");
  EXPECT_NEAR(found.at("peak_bytes").get<double>(), expected.at("peak_bytes"), 5e6);
  found.at("memory").erase("process_bytes");  // measured
  expected.at("memory").erase("process_bytes");
  for (const char* key : {"fits", "memory", "max_rows", "kept_layers"}) {
    EXPECT_EQ(found.at(key), expected.at(key)) << key;
  }
}

TEST_F(InspectCommand, AModelOfAShortContextIsOfShorterExemplars) {
  write_tiny_model(directory_ / "short", {.max_positions = 64});
  const ordered_json training = facts(directory_ / "short").at("training");
  EXPECT_EQ(training.at("num_virtual_tokens"), 32);
  EXPECT_EQ(training.at("exemplar_tokens"), 32);
}

TEST_F(InspectCommand, AModelWithoutATemplateSaysWhatThatMeans) {
  write_tiny_model(directory_ / "base", {.chat_template = false});
  EXPECT_EQ(facts(directory_ / "base").at("tokenizer").at("chat_template"),
            "none: only data.format: plain can be used");
}

TEST_F(InspectCommand, OfAnUnsupportedDirectoryWhatIsKnownIsSaid) {
  directory_.write("tiny/config.json",
                   R"({"model_type":"mamba","hidden_size":32,"num_hidden_layers":"two"})");
  const auto result = inspect(model(), {"--json"});
  EXPECT_EQ(result.exit_code, 4);
  EXPECT_THAT(result.err, HasSubstr("not supported: " + model() + "/config.json: model_type"));
  const ordered_json found = ordered_json::parse(result.out);
  EXPECT_EQ(found.at("supported"), false);
  EXPECT_THAT(found.at("reason"), HasSubstr("\"mamba\" is not implemented"));
  EXPECT_EQ(found.at("architecture"), (ordered_json{{"family", "mamba"}, {"hidden_size", 32}}));
  EXPECT_EQ(found.at("tokenizer"),
            (ordered_json{{"model", "byte-level BPE"}, {"num_tokens", kTinyVocabularySize}}));
  EXPECT_EQ(found.at("weights").at("types").at("F32").at("tensors"), 20);
  EXPECT_FALSE(found.contains("training"));
}

TEST_F(InspectCommand, OfUnsupportedGgufShardsWhatIsKnownIsSaid) {
  std::vector<GgufBytes> shards(2);
  uint64_t file_bytes = 0;
  for (uint32_t i = 0; i < 2; ++i) {
    shards[i].set("split.no", i);
    shards[i].set("split.count", uint32_t{2});
    shards[i].set("split.tensors.count", uint32_t{2});
    shards[i].set_tensor("weight " + std::to_string(i), {3, 5});
  }
  shards[0].set("general.architecture", std::string("mamba"));
  shards[0].set("mamba.embedding_length", uint32_t{5});
  shards[0].set("mamba.block_count", std::string("two"));
  for (int i = 0; i < 2; ++i) {
    file_bytes += shards[i].bytes().size();
    directory_.write("m-0000" + std::to_string(i + 1) + "-of-00002.gguf", shards[i].bytes());
  }
  const auto result = inspect(directory_ / "m-00001-of-00002.gguf", {"--json"});
  EXPECT_EQ(result.exit_code, 4);
  const ordered_json found = ordered_json::parse(result.out);
  EXPECT_EQ(found.at("architecture"), (ordered_json{{"family", "mamba"}, {"hidden_size", 5}}));
  EXPECT_EQ(found.at("weights"),
            (ordered_json{{"num_parameters", 30},
                          {"files", 2},
                          {"file_bytes", file_bytes},
                          {"types", {{"F32", {{"tensors", 2}, {"bytes", 120}}}}}}));
  const auto second = inspect(directory_ / "m-00002-of-00002.gguf");
  EXPECT_EQ(second.exit_code, 4);
  EXPECT_THAT(second.err, HasSubstr("name the first"));
  EXPECT_EQ(second.out, "");
}

TEST_F(InspectCommand, AModelThatIsRefusedSaysWhyWithExitFour) {
  directory_.write("tiny/config.json", R"({"model_type":"falcon"})");
  const auto result = inspect(model());
  EXPECT_EQ(result.exit_code, 4);
  EXPECT_THAT(result.err, HasSubstr("the family \"falcon\""));
}

TEST_F(InspectCommand, ATemplateThatIsNotSupportedIsAFactOfTheModel) {
  directory_.write("tiny/chat_template.jinja", "{% import 'x' as y %}");
  const ordered_json found = facts(model());
  EXPECT_THAT(found.at("tokenizer").at("chat_template"),
              testing::AllOf(testing::StartsWith(model() + "/chat_template.jinja:1: "),
                             HasSubstr("plain")));
  EXPECT_FALSE(found.at("tokenizer").contains("end_of_turn"));
}

TEST_F(InspectCommand, AnAdapterIsWhatItWasTrainedWithButNoFewShotText) {
  const ordered_json found = facts(directory_ / "brief");
  EXPECT_EQ(found.at("kind"), "adapter");
  EXPECT_EQ(found.at("written_by"), "prescript");
  EXPECT_EQ(found.at("num_virtual_tokens"), kBriefTokens);
  EXPECT_EQ(found.at("position"), "before_question");
  EXPECT_EQ(found.at("hard_prompt").at("format"), "plain");
  EXPECT_EQ(found.at("hard_prompt").at("few_shot"), ordered_json::array({"shot"}));
  const Adapter adapter = brief();
  double squares = 0;
  for (int i = 0; i < 32; ++i) {
    squares += adapter.prompt.values_PD[i] * adapter.prompt.values_PD[i];
  }
  EXPECT_LE(found.at("row_norms").at("min"), std::sqrt(squares) * 1.000001);
  EXPECT_GE(found.at("row_norms").at("max"), std::sqrt(squares) * 0.999999);
  EXPECT_THAT(found.dump(), Not(HasSubstr("Ill?")));
}

TEST_F(InspectCommand, AnAdapterOfPeftSaysSo) {
  std::filesystem::copy(directory_ / "kind", directory_ / "peft");
  std::filesystem::remove(directory_ / "peft/prescript.json");
  const ordered_json found = facts(directory_ / "peft");
  EXPECT_EQ(found.at("written_by"), "PEFT");
  EXPECT_EQ(found.at("num_virtual_tokens"), kKindTokens);
  EXPECT_FALSE(found.contains("hard_prompt"));
}

TEST_F(InspectCommand, ExemplarsAreCountedAndMeasuredAndNotShown) {
  const std::string path = directory_.write(
      "e.jsonl",
      "\xEF\xBB\xBF"
      R"({"question":"Secret é?","answer":"Mild.","topic":"skin","source":"ward"})"
      "\r\n\n"
      R"({"question":"Secret two?","options":{"A":"x","B":"y"},"answer":"A","topic":"skin"})"
      "\n"
      R"({"question":"Secret?","context":"Old.","rationale":"Why.","topic":"eyes","reviewer":"r"})");
  const ordered_json found = facts(path);
  EXPECT_EQ(found.at("kind"), "exemplars");
  EXPECT_EQ(found.at("num_exemplars"), 3);
  EXPECT_EQ(found.at("with_answer"), 2);
  EXPECT_EQ(found.at("with_options"), 1);
  EXPECT_EQ(found.at("with_rationale"), 1);
  EXPECT_EQ(found.at("not_accepted"), 0);
  EXPECT_EQ(found.at("with_context"), 1);
  EXPECT_EQ(found.at("unused_fields"), ordered_json::array({"reviewer"}));
  EXPECT_EQ(found.at("topics"), (ordered_json{{"skin", 2}, {"eyes", 1}}));
  EXPECT_EQ(found.at("sources"), (ordered_json{{"ward", 1}}));
  // "Secret é?" is 9 characters, "Old.\n\nSecret?" 13, "Secret two?\n(A) x\n(B) y" 23.
  EXPECT_EQ(found.at("question_characters"),
            (ordered_json{{"min", 9}, {"median", 13}, {"max", 23}, {"total", 45}}));
  EXPECT_EQ(found.at("answer_characters").at("max"), 5);
  EXPECT_THAT(found.dump(), Not(HasSubstr("Secret")));
  EXPECT_THAT(inspect(path).out, Not(HasSubstr("Secret")));
}

constexpr const char* kPair =
    "{\"id\":\"a\",\"question\":\"Secret pain?\",\"answer\":\"Yes.\",\"reviewer\":1}\n"
    "{\"id\":\"b\",\"question\":\"Is it a secret?\",\"answer\":\"No.\"}\n";

TEST_F(InspectCommand, ARecipeIsWhatItFeeds) {
  const std::string instruction = "Answer the question of this patient.";  // 36 characters
  const ordered_json found = facts(recipe(
      kPair, "  instruction: \"" + instruction + "\"\ntraining: {batch_size: 2, steps: 5}\n"));
  EXPECT_EQ(found.at("kind"), "recipe");
  EXPECT_EQ(found.at("num_virtual_tokens"), 4);
  EXPECT_EQ(found.at("unused_fields"), ordered_json::array({"reviewer"}));
  // <|im_start|>user\n, the instruction, a blank line.
  constexpr int kHardPrompt = 1 + 5 + 36 + 2;
  EXPECT_EQ(found.at("hard_prompt").at("tokens"), kHardPrompt);
  EXPECT_EQ(found.at("hard_prompt").at("instruction"), instruction);
  // Behind the question: <|im_end|>\n<|im_start|>assistant\n, the answer, <|im_end|>.
  constexpr int kTail = 1 + 1 + 1 + 10;
  const int a = kHardPrompt + 12 + kTail + 4 + 1;
  const int b = kHardPrompt + 15 + kTail + 3 + 1;
  EXPECT_EQ(found.at("train").at("num_exemplars"), 2);
  EXPECT_EQ(found.at("train").at("tokens"),
            (ordered_json{{"min", a}, {"median", a}, {"max", b}, {"total", a + b}}));
  EXPECT_EQ(found.at("train").at("targets").at("total"), 5 + 4);
  // The last token of each is a target, never a row; what is before the question is shared.
  const int unshared = 4 + a - 1 + 4 + b - 1;
  EXPECT_EQ(found.at("first_step").at("rows_unshared"), unshared);
  EXPECT_EQ(found.at("first_step").at("rows_shared"), unshared - 4 - kHardPrompt);
  EXPECT_FALSE(found.contains("validation"));
  EXPECT_THAT(found.dump(), Not(HasSubstr("ecret")));
}

TEST_F(InspectCommand, ARecipeTakesTheOverridesThatTrainTakes) {
  const std::string path = recipe(kPair);
  EXPECT_EQ(facts(path, {"soft_prompt.num_virtual_tokens=7"}).at("num_virtual_tokens"), 7);
  EXPECT_THAT(facts(path, {"data.format=plain", "--example", "1"}).at("text"),
              HasSubstr("\nAnswer: No."));
  const auto unknown = inspect(path, {"data.fewshot=1"});
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("data.few_shot"));
  const auto model_has_none = inspect(model(), {"data.few_shot=1"});
  EXPECT_EQ(model_has_none.exit_code, 2);
  EXPECT_THAT(model_has_none.err, HasSubstr("is not a recipe"));
}

TEST_F(InspectCommand, FewShotExemplarsAreNamedAndLeaveTheTrainingSet) {
  const ordered_json found = facts(recipe(kPair, "  few_shot: 1\n"));
  EXPECT_EQ(found.at("train").at("num_exemplars"), 1);
  EXPECT_EQ(found.at("hard_prompt").at("few_shot").size(), 1U);
  EXPECT_THAT(found.dump(), Not(HasSubstr("ecret")));
}

TEST_F(InspectCommand, AnExampleIsWhatTheModelSees) {
  const std::string path = recipe(kPair);
  const ordered_json found = facts(path, {"--example", "1"});
  EXPECT_EQ(found.at("id"), "b");
  EXPECT_EQ(found.at("text"),
            "<|im_start|>user\nIs it a secret?<|im_end|>\n<|im_start|>assistant\nNo.<|im_end|>");
  const Sequence made =
      HandMade().chat("Is it a secret?").scored().text("No.").token(kTinyTurnEnds).sequence;
  ordered_json ids = ordered_json::array();
  for (const Row& row : made.rows) ids.push_back(row.index);
  EXPECT_EQ(found.at("ids"), ids);
  EXPECT_EQ(found.at("targets"), ordered_json(made.target_positions));
  EXPECT_EQ(found.at("soft_prompt_at"), 0);
  EXPECT_EQ(found.at("num_virtual_tokens"), 4);
}

TEST_F(InspectCommand, AnExampleForPeopleMarksSoftPromptAndScoredTokens) {
  const std::string path = recipe("{\"id\":\"a\",\"question\":\"Où?\",\"answer\":\"Là.\"}",
                                  "  format: plain\n  instruction: Say.\n");
  const auto at_start = inspect(path, {"--example", "0"});
  EXPECT_EQ(at_start.exit_code, 0) << at_start.err;
  EXPECT_THAT(at_start.out, HasSubstr("[[ ]]"));
  EXPECT_THAT(
      at_start.out,
      HasSubstr("<soft prompt: 4 virtual tokens>Say.\n\nOù?\nAnswer: [[Là.<|endoftext|>]]"));
  directory_.write(
      "recipe.yaml",
      bytes_of_file(path).replace(
          bytes_of_file(path).find("tokens: 4"), 9, "tokens: 4, position: before_question"));
  EXPECT_THAT(inspect(path, {"--example", "0"}).out,
              HasSubstr("Say.\n\n<soft prompt: 4 virtual tokens>Où?\n"));
}

TEST_F(InspectCommand, ControlCharactersOfTheDataDoNotReachTheTerminal) {
  const std::string path = recipe(R"({"id":"a","question":"\u001b[2J?","answer":"\u0007."})");
  const auto result = inspect(path, {"--example", "0"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, Not(HasSubstr("\x1b")));
  EXPECT_THAT(result.out, HasSubstr("\\x1b[2J?"));
}

TEST_F(InspectCommand, NamesOfFilesDoNotReachTheTerminalRaw) {
  const auto result = inspect(directory_.write("\x1b[2J\x7f.jsonl", kPair));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("\\x1b[2J\\x7f.jsonl"));
  EXPECT_THAT(result.out, Not(HasSubstr("\x1b")));
  EXPECT_THAT(result.out, Not(HasSubstr("\x7f")));
}

TEST_F(InspectCommand, ForPeopleWhatIsAbsentIsLeftOut) {
  const auto exemplars =
      inspect(directory_.write("e.jsonl", R"({"question":"Pain?","answer":"No."})"));
  EXPECT_THAT(exemplars.out, HasSubstr("with_answer"));
  for (const char* absent : {"unused_fields", "rationale_characters", "topics", "[]", "null"}) {
    EXPECT_THAT(exemplars.out, Not(HasSubstr(absent)));
  }
  Adapter adapter = kind();
  adapter.identity.template_hash = "";
  adapter.metrics.clear();
  publish_adapter(adapter, directory_ / "bare");
  const auto bare = inspect(directory_ / "bare");
  EXPECT_EQ(bare.exit_code, 0) << bare.err;
  EXPECT_THAT(bare.out, HasSubstr("tokenizer_hash"));
  for (const char* absent : {"template_hash", "metrics", "few_shot", "[]", "null"}) {
    EXPECT_THAT(bare.out, Not(HasSubstr(absent)));
  }
}

TEST_F(InspectCommand, WhatIsNotKnownIsExitTwo) {
  const std::string path = recipe(kPair);
  std::filesystem::create_directory(directory_ / "empty");
  for (const auto& [arguments, message] :
       std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{directory_ / "nowhere"}, "no such file"},
           {{directory_.write("notes.txt", "hello")}, "not known"},
           {{directory_ / "empty"}, "nothing that is known"},
           {{std::string(300, 'n')}, "File name too long"},
           {{directory_ / "notes.txt/in"}, "no such file"},
           {{"/dev/null"}, "neither a file nor a directory"},
           {{path, "--example", "2"}, "not in [0, 1]"},
           {{path, "--example", "-1"}, "--example: found \"-1\""},
           {{path, "--example", ""}, "allowed is a whole number in [0, "},
           {{path, "--example", "9223372036854775808"}, "--example: found"},
           {{directory_ / "train.jsonl", "--example", "0"}, "is no recipe of a training"}}) {
    const auto result = inspect(arguments[0], {arguments.begin() + 1, arguments.end()});
    EXPECT_EQ(result.exit_code, 2) << message << result.err;
    EXPECT_THAT(result.err, HasSubstr(message));
    EXPECT_EQ(result.out, "");
  }
}

TEST_F(InspectCommand, GarbageOfEveryKindIsRefusedNotCrashed) {
  const std::string garbage =
      "\x80" + std::string(1, '\0') + "{\"[\xff\xfe: \x7f" + std::string(300, '\xEE');
  for (const char* name :
       {"g.jsonl", "g.yaml", "g.yml", "g.json", "g.gguf", "g.safetensors", "g.bin", "g"}) {
    for (const std::string& bytes : {garbage, std::string(), "GGUF" + garbage}) {
      const auto result = inspect(directory_.write(name, bytes));
      EXPECT_EQ(result.signal, 0) << name;
      EXPECT_THAT(result.exit_code, testing::AnyOf(2, 3, 4)) << name << result.err;
      EXPECT_NE(result.err, "");
    }
  }
}

TEST_F(InspectCommand, ADamagedRecipeIsRefusedNotCrashed) {
  const std::string path = recipe(kPair);
  const std::string whole = bytes_of_file(path);
  for (uint64_t i = 0; i < 25; ++i) {
    directory_.write("recipe.yaml", damaged(whole, i, whole.size()));
    const auto result = inspect(path);
    EXPECT_EQ(result.signal, 0) << i;
    EXPECT_THAT(result.exit_code, testing::AnyOf(0, 2, 3, 4)) << i << result.err;
  }
}

}  // namespace
}  // namespace prescript
