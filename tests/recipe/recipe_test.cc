#include "recipe/recipe.h"

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>

#include <gtest/gtest.h>

#include "base/random.h"
#include "support/damage.h"
#include "support/expect_error.h"
#include "support/temporary_directory.h"

namespace prescript {
namespace {

/// What every recipe needs; on lines of its own.
constexpr const char* kRequired = "base_model: m.gguf\ndata.train: t.jsonl\noutput: out\n";

class RecipeTest : public ::testing::Test {
 protected:
  Recipe read(const std::string& text, const std::vector<std::string>& overrides = {}) const {
    return read_recipe(dir_.write("r.yaml", text), overrides);
  }
  Recipe with(const std::vector<std::string>& overrides) const {
    return read(kRequired, overrides);
  }

  void expect_error(const std::string& part,
                    const std::string& text,
                    const std::vector<std::string>& overrides = {}) const {
    SCOPED_TRACE(text);
    expect_input_error(ExitCode::kUsage, part, [&] { read(text, overrides); });
  }

  TemporaryDirectory dir_;
};

TEST_F(RecipeTest, DefaultsAreThoseOfTheDesign) {
  const Recipe recipe = read("base_model: m.gguf\ndata: {train: t.jsonl}\noutput: out\n");
  EXPECT_EQ(recipe.base_model, "m.gguf");
  EXPECT_EQ(recipe.data.train, "t.jsonl");
  EXPECT_EQ(recipe.output, "out");
  EXPECT_EQ(
      recipe_yaml(recipe),
      "base_model: m.gguf\n"
      "dtype: bf16\n"
      "device: auto\n"
      "weights:\n"
      "  format: converted\n"
      "  residence: device\n"
      "soft_prompt:\n"
      "  num_virtual_tokens: 20\n"
      "  position: start\n"
      "  init:\n"
      "    from: text\n"
      "    text: \"You are a careful clinician. Answer the medical question accurately, safely "
      "and helpfully, with the consensus of medical science. \"\n"
      "data:\n"
      "  train: t.jsonl\n"
      "  format: chat\n"
      "  few_shot: 0\n"
      "  rationale: false\n"
      "optimizer:\n"
      "  name: adamw\n"
      "  learning_rate: 0.003\n"
      "  weight_decay: 1.0e-05\n"
      "  clip_norm: 1\n"
      "  schedule: constant\n"
      "  warmup_steps: 0\n"
      "training:\n"
      "  steps: 200\n"
      "  batch_size: 32\n"
      "  micro_batch_tokens: auto\n"
      "  memory_gb: auto\n"
      "  threads: auto\n"
      "  share: true\n"
      "  seed: 1\n"
      "  evaluate_every: 20\n"
      "  checkpoint_every: 20\n"
      "output: out\n");
}

TEST_F(RecipeTest, EveryKeyReachesItsMember) {
  const Recipe recipe = read(R"(
base_model: a
dtype: fp32
device: cpu
weights: {format: converted, residence: device}
soft_prompt:
  num_virtual_tokens: 7
  position: after_bos
  init: {from: uniform, scale: 0.5}
data:
  train: b
  validation: c
  format: plain
  instruction: |
    Two
    lines
  few_shot: 3
  rationale: true
optimizer: {name: adafactor, learning_rate: 0.25, weight_decay: 0, clip_norm: 0, schedule: cosine, warmup_steps: 4}
training: {steps: 5, batch_size: 6, micro_batch_tokens: 8, memory_gb: 1.5, threads: 9, share: false,
           seed: 18446744073709551615, evaluate_every: 10, checkpoint_every: 11, patience: 12}
output: d
)");
  Recipe expected = {.base_model = "a", .dtype = "fp32", .device = "cpu", .output = "d"};
  expected.soft_prompt = {.num_virtual_tokens = 7, .position = "after_bos"};
  expected.soft_prompt.init.from = "uniform";
  expected.soft_prompt.init.scale = 0.5;
  expected.data = {.train = "b",
                   .validation = "c",
                   .format = "plain",
                   .instruction = "Two\nlines\n",
                   .few_shot = 3,
                   .rationale = true};
  expected.optimizer = {.name = "adafactor",
                        .learning_rate = 0.25,
                        .weight_decay = 0,
                        .clip_norm = 0,
                        .schedule = "cosine",
                        .warmup_steps = 4};
  expected.training = {.steps = 5,
                       .batch_size = 6,
                       .micro_batch_tokens = 8,
                       .memory_gb = 1.5,
                       .threads = 9,
                       .share = false,
                       .seed = UINT64_MAX,
                       .evaluate_every = 10,
                       .checkpoint_every = 11,
                       .patience = 12};
  EXPECT_EQ(recipe, expected);
}

constexpr const char* kSearched =
    "base_model: m.gguf\ndata: {train: t.jsonl, validation: v.jsonl}\noutput: out\n";

TEST_F(RecipeTest, ASearchIsWrittenAsItIsRead) {
  const Recipe recipe =
      read(kSearched, {"search={learning_rate: [0.003, 1.0e-07], seed: [2]}", "training.seed=5"});
  const std::string yaml = recipe_yaml(recipe);
  EXPECT_NE(yaml.find("search:\n  learning_rate: [0.003, 1.0e-07]\n  seed: [2]\n"),
            std::string::npos)
      << yaml;
  EXPECT_EQ(yaml.find("learning_rate: 0.003\n"), std::string::npos) << "it has no effect";
  EXPECT_EQ(read(yaml), recipe);
}

TEST_F(RecipeTest, ASearchThatCannotBeIsRefused) {
  const auto refused = [&](const std::string& part, const std::string& search) {
    expect_error(part, kSearched, {search});
  };
  refused("search.seed: found an empty list; allowed is a list of different values, each a whole",
          "search.seed=[]");
  refused(
      "search.learning_rate: found a list; allowed is a list of different values, each a number",
      "search.learning_rate=[0.1, 1.0e-1]");
  refused("search.weight_decay: found the number 0.1; allowed is a list",
          "search.weight_decay=0.1");
  refused("unknown key \"search.steps\"", "search.steps=[1]");
  std::string many;
  for (int i = 0; i < 13; ++i) many += (i == 0 ? "" : ", ") + std::to_string(i);
  refused("the lists of search make 65 candidates; at most 64",
          "search={seed: [" + many + "], learning_rate: [1, 2, 3, 4, 5]}");
  expect_error("search.seed: a search chooses by data.validation", kRequired, {"search.seed=[1]"});
  for (const std::string key : {"learning_rate", "weight_decay"}) {
    expect_error("optimizer." + key + ": has no effect beside search." + key,
                 kSearched,
                 {"search." + key + "=[0.1]", "optimizer." + key + "=0.1"});
    EXPECT_EQ(read(std::string(kSearched) + "optimizer." + key + ": 0.1\n",
                   {"search." + key + "=[0.2]", "optimizer." + key + "=null"})
                  .search,
              read(kSearched, {"search." + key + "=[0.2]"}).search);
  }
}

TEST_F(RecipeTest, JsonMeansTheSame) {
  EXPECT_EQ(read("{\n\t\"base_model\": \"m\\u00e9\\ud83d\\ude00\", \"output\": \"o\",\n"
                 "\t\"data\": {\"train\": \"t\", \"validation\": null},\n"
                 "\t\"training\": {\"threads\": \"auto\", \"share\": false}}"),
            read("base_model: \"m\xC3\xA9\xF0\x9F\x98\x80\"\noutput: o\n"
                 "data: {train: t, validation: }\ntraining: {threads: auto, share: false}"));
  expect_error("r.yaml:2:16: training.steps: found the text \"5\"; allowed is a whole number",
               "{\"output\": \"o\",\n \"training\": { \"steps\": \"5\"}}");
  expect_error("output: found the number 5; allowed is a path", "{\"output\": 5}");
}

TEST_F(RecipeTest, NullIsTheDefault) {
  EXPECT_EQ(read(std::string(kRequired) +
                 "training: {steps: null, patience: ~}\nweights:\nsoft_prompt: {init: null}\n"),
            read(kRequired));
  expect_error("output: missing", "base_model: m\ndata: {train: t}\noutput: null");
}

TEST_F(RecipeTest, RequiredKeysAreNamed) {
  expect_error("r.yaml: base_model: missing; every recipe sets it to a path", "");
  expect_error("base_model: missing", "data: {train: t}\noutput: o");
  expect_error("data.train: missing", "base_model: m\noutput: o");
  expect_error("output: missing", "base_model: m\ndata: {train: t}");
}

TEST_F(RecipeTest, UnknownKeysAreRefusedWithTheirPlaceAndTheNearest) {
  expect_error(
      "r.yaml:3:5: unknown key \"training.stepz\"; the nearest known key is training.steps",
      "base_model: m\ntraining:\n    stepz: 5\n");
  expect_error(
      "r.yaml:1:1: unknown key \"learning_rate\"; the nearest known key is "
      "optimizer.learning_rate",
      "learning_rate: 1");
  expect_error("r.yaml:1:15: unknown key \"soft_prompt.inti\"",
               "soft_prompt: {inti: {from: text}}");
  expect_error("unknown key \"output.x\"", "output.x: 1");
  expect_error("unknown key \"a\\x0ab\"", "\"a\\nb\": 1");
  expect_error("unknown key \"stepz\"", "stepz: null");
}

TEST_F(RecipeTest, WrongValuesAreRefusedWithWhatIsAllowed) {
  struct Case {
    const char* text;
    const char* message;
  };
  const Case cases[] = {
      {"training:\n  steps: 0",
       "r.yaml:2:3: training.steps: found the number 0; allowed is a whole "
       "number in [1, 1000000000]"},
      {"training: {steps: '5'}", "training.steps: found the text \"5\""},
      {"training: {steps: 5.5}", "training.steps: found the number 5.5"},
      {"training: {steps: [5]}", "training.steps: found a list"},
      {"training: {steps: {a: 5}}", "training.steps: found a group of keys"},
      {"training: {seed: -1}", "training.seed: found the number -1"},
      {"training: {share: yes}",
       "training.share: found the text \"yes\"; allowed is true or false"},
      {"training: {threads: 0}",
       "training.threads: found the number 0; allowed is auto or a whole"},
      {"training: 5", "r.yaml:1:1: training: found the number 5; allowed is a group of keys"},
      {"training: [5]", "training: found a list"},
      {"optimizer: {learning_rate: .nan}", "found the text \".nan\"; allowed is a number"},
      {"optimizer: {learning_rate: .inf}", "found the text \".inf\""},
      {"optimizer: {learning_rate: -1}", "optimizer.learning_rate: found the number -1"},
      {"optimizer: {name: sgd}",
       "optimizer.name: found the text \"sgd\"; allowed is adamw or adafactor"},
      {"optimizer: {name: adafactor, beta1: 0.9}", "unknown key \"optimizer.beta1\""},
      {"optimizer: {name: adafactor, epsilon: 1.0e-8}", "unknown key \"optimizer.epsilon\""},
      {"optimizer: {schedule: step}", "allowed is constant, linear or cosine"},
      {"dtype: fp16", "dtype: found the text \"fp16\"; allowed is fp32 or bf16"},
      {"device: cuda:1", "allowed is cpu, cuda or auto"},
      {"soft_prompt: {position: end}", "allowed is start, after_bos or before_question"},
      {"soft_prompt: {num_virtual_tokens: 4097}", "allowed is a whole number in [1, 4096]"},
      {"soft_prompt: {init: {from: random}}",
       "allowed is text, vocabulary, class_labels, uniform or adapter"},
      {"data: {few_shot: -1}", "data.few_shot: found the number -1"},
      {"data: {format: Chat}", "allowed is chat or plain"},
      {"data: {date: 2025-02-30}", "allowed is a date, YYYY-MM-DD"},
      {"data: {instruction: ''}", "data.instruction: found an empty text"},
      {"data: {train: \"a\\0b\"}", "data.train: found the text \"a\\x00b\"; allowed is a path"},
      {"base_model: true", "base_model: found the truth value true; allowed is a path"},
      {"weights: {format: int8}", "allowed is converted or as_stored"},
  };
  for (const auto& [text, message] : cases) expect_error(message, text);
  expect_error("found a list; a recipe is a group of keys", "- a\n- b");
  expect_error("found the text \"hello\"; a recipe is a group of keys", "hello");
}

TEST_F(RecipeTest, ContradictionsAreRefused) {
  struct Case {
    std::vector<std::string> overrides;
    const char* message;
  };
  const Case cases[] = {
      {{"soft_prompt.init.scale=0.5"},
       "override \"soft_prompt.init.scale=0.5\": soft_prompt.init.scale: has no effect without "
       "soft_prompt.init.from: uniform"},
      {{"soft_prompt.init.scale=auto"}, "soft_prompt.init.scale: has no effect"},
      {{"soft_prompt.init.path=a"}, "has no effect without soft_prompt.init.from: adapter"},
      {{"soft_prompt.init.from=vocabulary", "soft_prompt.init.text=a"},
       "has no effect without soft_prompt.init.from: text"},
      {{"soft_prompt.init.from=adapter"}, "soft_prompt.init.path: missing"},
      {{"soft_prompt.init.labels=[yes]"}, "has no effect without soft_prompt.init.from: class_lab"},
      {{"soft_prompt.init.from=class_labels"}, "soft_prompt.init.labels: missing"},
      {{"soft_prompt.init={from: class_labels, labels: [yes, no]}",
        "soft_prompt.num_virtual_tokens=1"},
       "soft_prompt.init.labels: 2 labels, but soft_prompt.num_virtual_tokens is 1; raise that"},
      {{"data.format=plain", "data.date=2025-01-01"}, "has no effect without data.format: chat"},
      {{"training.patience=2"}, "training.patience: has no effect without data.validation"},
      {{"training.steps=5", "optimizer.warmup_steps=6"},
       "override \"optimizer.warmup_steps=6\": optimizer.warmup_steps: 6 is more than "
       "training.steps, 5"},
      {{"weights.residence=streamed"}, "weights.residence: streamed is not built yet; use device"},
  };
  for (const auto& [overrides, message] : cases) expect_error(message, kRequired, overrides);
  EXPECT_NO_THROW(with({"soft_prompt.init={from: class_labels, labels: [yes, no]}",
                        "soft_prompt.num_virtual_tokens=2"}));
  EXPECT_NO_THROW(with({"soft_prompt.init.from=uniform", "soft_prompt.init.scale=auto"}));
  EXPECT_NO_THROW(with({"soft_prompt.init.from=adapter", "soft_prompt.init.path=a"}));
  EXPECT_NO_THROW(with({"training.patience=2", "data.validation=v", "data.date=2025-01-01"}));
  EXPECT_NO_THROW(with({"training.steps=5", "optimizer.warmup_steps=5", "device=cuda"}));
  EXPECT_NO_THROW(with({"weights.format=as_stored"}));
  EXPECT_NO_THROW(with({"training.evaluate_every=999", "training.checkpoint_every=999"}));
}

TEST_F(RecipeTest, OverridesTakeThePlaceOfTheFilesValues) {
  const std::string text = std::string(kRequired) +
                           "training: {steps: 5, seed: 2}\ndata: {validation: v}\n"
                           "soft_prompt: {init: {from: uniform, scale: 0.5}}\n";
  const Recipe recipe = read(text,
                             {"training.steps=6",
                              "data.validation=null",
                              "data.instruction=\"a=b\"",
                              "soft_prompt.init={from: vocabulary, scale: null}"});
  EXPECT_EQ(recipe.training.steps, 6);
  EXPECT_EQ(recipe.training.seed, 2u);
  EXPECT_EQ(recipe.data.validation, std::nullopt);
  EXPECT_EQ(recipe.data.instruction, "a=b");
  EXPECT_EQ(recipe.soft_prompt.init.from, "vocabulary");
  EXPECT_EQ(read(text, {"training.steps="}).training.steps, 200);
  expect_error("output: missing", text, {"output="});
}

TEST_F(RecipeTest, AFaultyOverrideIsNamed) {
  struct Case {
    const char* override_text;
    const char* message;
  };
  const Case cases[] = {
      {"training.steps", "override \"training.steps\": expected key.path=value"},
      {"training.stepz=5",
       "override \"training.stepz=5\": unknown key \"training.stepz\"; the "
       "nearest known key is training.steps"},
      {"training.steps=x", "override \"training.steps=x\": training.steps: found the text \"x\""},
      {"training=5", "training: found the number 5; allowed is a group of keys"},
      {"training=null", "training: found nothing; allowed is a group of keys"},
      {"training={stepz: 5}", "unknown key \"training.stepz\""},
      {"training.steps=[1", "override \"training.steps=[1\":1:"},
      {"training.steps=1\n---\n2", "a second document"},
      {"data.instruction=\xFF", "override \"data.instruction=\\xff\":1:1: byte 255 is not UTF-8"},
      {"=5", "unknown key \"\""},
      {"", "expected key.path=value"},
      {".=", "unknown key \".\""},
  };
  for (const auto& [override_text, message] : cases)
    expect_error(message, kRequired, {override_text});
}

TEST_F(RecipeTest, AKeyGivenTwiceIsAnError) {
  expect_error("r.yaml:2:1: the key \"output\" comes twice", "output: a\noutput: b");
  expect_error("r.yaml:2:1: training.steps: set twice", "training: {steps: 1}\ntraining.steps: 1");
  expect_error("override \"training={steps: 2}\": training.steps: set twice",
               kRequired,
               {"training.steps=1", "training={steps: 2}"});
  expect_error("training.steps: set twice", kRequired, {"training.steps=null", "training.steps=2"});
}

TEST_F(RecipeTest, FilesThatAreNoRecipesAreRefused) {
  expect_input_error(ExitCode::kUsage, "No such file", [&] { read_recipe(dir_ / "no", {}); });
  expect_input_error(ExitCode::kUsage, dir_.path(), [&] { read_recipe(dir_.path(), {}); });
  expect_error("r.yaml", std::string((1 << 20) + 1, '#'));
  expect_error("r.yaml:1:1: a control character (byte 0)", std::string(100, '\0'));
  expect_error("unknown key \"question\"", "{\"question\": \"secret\", \"answer\": \"secret\"}\n");
  expect_error("r.yaml:2:1: syntax error", "{\"id\": \"a\"}\n{\"id\": \"b\"}\n");
}

/// A value of a random kind of text, with what makes trouble in YAML.
std::string random_text(RandomStream& random) {
  const char* const parts[] = {"null", "1",  "auto", "true",         " ",
                               "\n",   "\t", "\"",   "\\",           ": ",
                               "#",    "- ", "{",    "\xC3\xA9",     "\xC2\x85",
                               "~",    "'",  "x",    "\r",           "%",
                               "a/b",  "no", ".",    "\xE2\x80\xA8", "\xF0\x9F\x98\x80"};
  std::string text;
  for (uint64_t n = 1 + random.below(4); n > 0; --n) text += parts[random.below(std::size(parts))];
  return text;
}

/// Any recipe that is free of contradictions.
Recipe random_recipe(uint64_t index) {
  RandomStream random(7, "recipes", index);
  const auto coin = [&] { return random.below(2) == 1; };
  const auto count = [&](int64_t min) {
    return min + static_cast<int64_t>(random.below(uint64_t{1} << random.below(29)));
  };
  const auto word = [&](std::initializer_list<const char*> words) {
    return std::string(words.begin()[random.below(words.size())]);
  };
  Recipe recipe;
  recipe.base_model = random_text(random);
  recipe.dtype = word({"fp32", "bf16"});
  recipe.device = word({"cpu", "cuda", "auto"});
  recipe.soft_prompt.num_virtual_tokens = 1 + static_cast<int64_t>(random.below(4095));
  recipe.soft_prompt.position = word({"start", "after_bos", "before_question"});
  InitRecipe& init = recipe.soft_prompt.init;
  init.from = word({"text", "vocabulary", "class_labels", "uniform", "adapter"});
  if (init.from == "text" && coin()) init.text = random_text(random);
  if (init.from == "class_labels") {
    recipe.soft_prompt.num_virtual_tokens += 1;
    init.labels = {"l" + random_text(random)};
    if (coin()) init.labels->push_back("m" + random_text(random));
  }
  if (init.from == "uniform" && coin()) init.scale = random.uniform();
  if (init.from == "adapter") init.path = random_text(random);
  recipe.data.train = random_text(random);
  if (coin()) recipe.data.validation = random_text(random);
  recipe.data.format = word({"chat", "plain"});
  if (coin()) recipe.data.instruction = "i" + random_text(random);
  recipe.data.few_shot = static_cast<int64_t>(random.below(1001));
  recipe.data.rationale = coin();
  if (recipe.data.format == "chat" && coin()) recipe.data.date = "2024-02-29";
  recipe.optimizer.name = word({"adamw", "adafactor"});
  recipe.optimizer.learning_rate = random.uniform() * 1000;
  recipe.optimizer.weight_decay = random.uniform() * 1e-9;
  recipe.optimizer.clip_norm = random.uniform() * 1e9;
  recipe.optimizer.schedule = word({"constant", "linear", "cosine"});
  recipe.training.steps = count(1);
  recipe.optimizer.warmup_steps = coin() ? recipe.training.steps : 0;
  recipe.training.batch_size = count(1);
  if (coin()) recipe.training.micro_batch_tokens = count(1);
  if (coin()) recipe.training.memory_gb = 0.01 + random.uniform();
  if (coin()) recipe.training.threads = 1 + static_cast<int64_t>(random.below(1024));
  recipe.training.share = coin();
  recipe.training.seed = random.next_u64();
  recipe.training.evaluate_every = count(1);
  recipe.training.checkpoint_every = count(1);
  if (recipe.data.validation && coin()) recipe.training.patience = count(1);
  recipe.output = random_text(random);
  return recipe;
}

TEST_F(RecipeTest, YamlReadsBackAsTheSameRecipe) {
  for (uint64_t i = 0; i < 2000; ++i) {
    const Recipe recipe = random_recipe(i);
    const std::string yaml = recipe_yaml(recipe);
    ASSERT_EQ(read(yaml), recipe) << yaml;
  }
}

TEST_F(RecipeTest, SettingsAsOverridesMakeTheSameRecipe) {
  for (uint64_t i = 0; i < 300; ++i) {
    const Recipe recipe = random_recipe(i);
    std::vector<std::string> overrides;
    for (const auto& [path, value] : recipe_settings(recipe)) {
      overrides.push_back(path);
      overrides.back().append("=").append(value);
    }
    ASSERT_EQ(read(recipe_yaml(random_recipe(i + 1)), overrides), recipe);
  }
}

TEST_F(RecipeTest, SettingsSayWhatDiffers) {
  const auto before = recipe_settings(with({"data.validation=v"}));
  const auto after = recipe_settings(with({"soft_prompt.init.from=uniform", "training.threads=2"}));
  ASSERT_EQ(before.size(), after.size());
  std::vector<std::string> changes;
  for (size_t i = 0; i < before.size(); ++i) {
    ASSERT_EQ(before[i].first, after[i].first);
    if (before[i].second == after[i].second || before[i].first == "soft_prompt.init.text") continue;
    changes.push_back(before[i].first + ": " + before[i].second + " -> " + after[i].second);
  }
  EXPECT_EQ(changes,
            std::vector<std::string>({"soft_prompt.init.from: text -> uniform",
                                      "soft_prompt.init.scale: null -> auto",
                                      "data.validation: v -> null",
                                      "training.threads: auto -> 2"}));
}

TEST_F(RecipeTest, DamagedRecipesNeverCrash) {
  const std::string yaml = recipe_yaml(random_recipe(3));
  const std::string json =
      "{\"base_model\": \"m\", \"data\": {\"train\": \"t\", \"few_shot\": 3}, "
      "\"training\": {\"steps\": 5, \"threads\": \"auto\"}, \"output\": \"o\"}";
  for (const std::string& text : {yaml, json}) {
    int num_refused = 0;
    for (uint64_t i = 0; i < 2000; ++i) {
      try {
        read(damaged(text, i, text.size()));
      } catch (const InputError& error) {
        EXPECT_EQ(error.code(), ExitCode::kUsage);
        ++num_refused;
      }
    }
    EXPECT_GT(num_refused, 1000);
  }
}

TEST(BundledRecipes, AreAllReadable) {
  int num_read = 0;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(PRESCRIPT_SOURCE_DIR "/recipes")) {
    if (entry.path().extension() != ".yaml") continue;
    const Recipe recipe = read_recipe(entry.path().string(), {});
    EXPECT_EQ(bytes_of_file(entry.path().string()).substr(0, 2), "# ") << entry.path();
    EXPECT_TRUE(recipe.data.train.starts_with("exemplars/")) << entry.path();
    EXPECT_TRUE(recipe.output.starts_with("checkpoints/")) << entry.path();
    ++num_read;
  }
  EXPECT_GT(num_read, 0);
}

TEST(BundledRecipes, TheDocumentsExamplesAreRecipes) {
  const TemporaryDirectory dir;
  std::ifstream document(PRESCRIPT_SOURCE_DIR "/docs/RECIPES.md");
  std::vector<std::string> examples;
  bool in_example = false;
  for (std::string line; std::getline(document, line);) {
    if (line.starts_with("    base_model:")) examples.emplace_back();
    in_example = line.starts_with("    base_model:") || (in_example && line.starts_with("    "));
    if (in_example) examples.back() += line.substr(4) + "\n";
  }
  EXPECT_EQ(examples.size(), 2u);
  for (const std::string& example : examples) {
    EXPECT_NO_THROW(read_recipe(dir.write("r.yaml", example), {})) << example;
  }
}

}  // namespace
}  // namespace prescript
