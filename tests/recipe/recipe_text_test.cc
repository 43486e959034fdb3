// Recipes as text, and back.

#include <iterator>

#include "base/random.h"
#include "recipe/recipe_fixture.h"
#include "support/damage.h"

namespace prescript {
namespace {

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
  if (coin()) recipe.optimizer.learning_rate = random.uniform() * 1000;
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

}  // namespace
}  // namespace prescript
