#include "recipe/recipe.h"

#include "recipe/recipe_fixture.h"

namespace prescript {
namespace {

TEST_F(RecipeTest, EveryDefaultIsWrittenOut) {
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
      "  format: auto\n"
      "  residence: auto\n"
      "soft_prompt:\n"
      "  num_virtual_tokens: 100\n"
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
      "  learning_rate: auto\n"
      "  weight_decay: 1.0e-05\n"
      "  clip_norm: 1\n"
      "  schedule: linear\n"
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
  expected.weights = {.format = "converted", .residence = "device"};
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
  const Recipe emptied = read(text, {"training=null", "training.steps=7"});
  EXPECT_EQ(emptied.training.steps, 7);
  EXPECT_EQ(emptied.training.seed, read(kRequired).training.seed) << "the file's is gone";
  expect_error("output: missing", text, {"output="});
}

}  // namespace
}  // namespace prescript
