// What is no recipe, and what the refusal names.

#include "recipe/recipe_fixture.h"

namespace prescript {
namespace {

TEST_F(RecipeTest, FilesThatAreNoRecipesAreRefused) {
  expect_input_error(ExitCode::kUsage, "No such file", [&] { read_recipe(dir_ / "no", {}); });
  expect_input_error(ExitCode::kUsage, dir_.path(), [&] { read_recipe(dir_.path(), {}); });
  expect_error("r.yaml", std::string((1 << 20) + 1, '#'));
  expect_error("r.yaml:1:1: a control character (byte 0)", std::string(100, '\0'));
  expect_error("unknown key \"question\"", "{\"question\": \"secret\", \"answer\": \"secret\"}\n");
  expect_error("r.yaml:2:1: syntax error", "{\"id\": \"a\"}\n{\"id\": \"b\"}\n");
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

TEST_F(RecipeTest, KeysOfAnEvaluationAreRefusedWithTheCommandThatKnowsThem) {
  expect_error(
      "r.yaml:2:1: unknown key \"tasks\"; recipes of prescript evaluate have it: run that, or "
      "remove the key",
      "base_model: m\ntasks: {usmle: {questions: q}}");
  expect_error("unknown key \"bootstrap.replicas\"; recipes of prescript evaluate have it",
               "bootstrap.replicas: 10");
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
      {"training: {steps: [5]}", "training.steps: found the list [5];"},
      {"training: {steps: {a: 5}}", "training.steps: found a group of keys"},
      {"training: {seed: -1}", "training.seed: found the number -1"},
      {"training: {share: yes}",
       "training.share: found the text \"yes\"; allowed is true or false"},
      {"training: {threads: 0}",
       "training.threads: found the number 0; allowed is auto or a whole"},
      {"training: 5", "r.yaml:1:1: training: found the number 5; allowed is a group of keys"},
      {"training: [5]", "training: found the list [5];"},
      {"optimizer: {learning_rate: .nan}", "found the text \".nan\"; allowed is auto or a number"},
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
      {"weights: {format: int8}", "allowed is converted, as_stored or auto"},
  };
  for (const auto& [text, message] : cases) expect_error(message, text);
  expect_error("found the list [\"a\", \"b\"]; a recipe is a group of keys", "- a\n- b");
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
      {{"weights={format: as_stored, residence: streamed}"},
       "weights.format: as_stored has no effect beside weights.residence: streamed"},
  };
  for (const auto& [overrides, message] : cases) expect_error(message, kRequired, overrides);
  EXPECT_NO_THROW(with({"soft_prompt.init={from: class_labels, labels: [yes, no]}",
                        "soft_prompt.num_virtual_tokens=2"}));
  EXPECT_NO_THROW(with({"soft_prompt.init.from=uniform", "soft_prompt.init.scale=auto"}));
  EXPECT_NO_THROW(with({"soft_prompt.init.from=adapter", "soft_prompt.init.path=a"}));
  EXPECT_NO_THROW(with({"training.patience=2", "data.validation=v", "data.date=2025-01-01"}));
  EXPECT_NO_THROW(with({"training.steps=5", "optimizer.warmup_steps=5", "device=cuda"}));
  EXPECT_NO_THROW(with({"weights.format=as_stored"}));
  EXPECT_NO_THROW(with({"weights.residence=streamed"}));
  EXPECT_NO_THROW(with({"training.evaluate_every=999", "training.checkpoint_every=999"}));
}

TEST_F(RecipeTest, ASearchThatCannotBeIsRefused) {
  const auto refused = [&](const std::string& part, const std::string& search) {
    expect_error(part, kSearched, {search});
  };
  refused("search.seed: found an empty list; allowed is a list of different values, each a whole",
          "search.seed=[]");
  refused(
      "search.learning_rate: found the list [0.1, 1.0e-1]; allowed is a list of different values, "
      "each a number",
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

TEST_F(RecipeTest, WhatPrivacyCannotHideIsRefused) {
  const std::string complete = "privacy={clip_norm: 1, noise: 1, delta: 1.0e-5}";
  EXPECT_EQ(with({complete}).privacy.noise, 1);
  expect_error("privacy.delta: missing; privacy needs clip_norm, noise and delta",
               kRequired,
               {"privacy={clip_norm: 1, noise: 1}"});
  expect_error("privacy.noise: missing", kRequired, {"privacy.seed=3"});
  expect_error(
      "privacy.noise: found the number 0; allowed is a number in", kRequired, {"privacy.noise=0"});
  expect_error(
      "data.few_shot: the adapter holds the text", kRequired, {complete, "data.few_shot=2"});
  expect_error("a search trains several soft prompts on the same exemplars",
               kSearched,
               {complete, "search.seed=[1, 2]"});
}

TEST_F(RecipeTest, RepetitionsNeedCanaries) {
  expect_error("canaries.repetitions: has no effect without canaries.count",
               kRequired,
               {"canaries.repetitions=2"});
  EXPECT_EQ(with({"canaries={count: 3, repetitions: 2}"}).canaries.repetitions, 2);
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
      {"data=null", "data.train: missing"},
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

}  // namespace
}  // namespace prescript
