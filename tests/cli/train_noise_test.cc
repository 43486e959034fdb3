// DP-SGD as a user runs it.

#include <sys/stat.h>

#include "cli/train_run.h"
#include "io/json.h"

namespace prescript {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kPrivacy = "privacy={clip_norm: 0.5, noise: 1.3, delta: 1.0e-3}";
constexpr const char* kSeed = "918273645546372819";

class TrainNoise : public TrainRun {
 protected:
  json prescript_json(const std::string& name = "out") const {
    return json::parse(adapter(name).at("prescript.json"));
  }

  ProcessResult command(Arguments arguments) const {
    ProcessOptions options;
    options.directory = directory_.path();
    return run_prescript(std::move(arguments), std::move(options));
  }
};

// Every step draws all twelve: an entry of the table that Opacus made.
TEST_F(TrainNoise, EpsilonIsToldBeforeAndAfterAndIsThatOfOpacus) {
  const Arguments settings = {"privacy={clip_norm: 0.5, noise: 10, delta: 1.0e-3}",
                              "training.batch_size=12",
                              "training.steps=1"};
  double opacus = 0;
  for (const auto& one : parse_json_file(PRESCRIPT_SOURCE_DIR "/tests/golden/privacy/epsilons.json",
                                         ExitCode::kData)) {
    if (one["noise"] == 10.0 && one["sample_rate"] == 1.0 && one["steps"] == 1 &&
        one["delta"] == 1e-3) {
      opacus = one["epsilon"].get<double>();
    }
  }
  ASSERT_GT(opacus, 0);
  char text[64];
  std::snprintf(text, sizeof(text), "epsilon %.3f at delta 0.001 after 1 step ", opacus);
  for (const char* name : {"validate", "estimate", "train"}) {
    Arguments arguments = {name, "recipe.yaml"};
    arguments.insert(arguments.end(), settings.begin(), settings.end());
    if (arguments[0] == "train") arguments.push_back("--dry-run");
    const ProcessResult result = command(arguments);
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out, HasSubstr(text)) << name;
  }
  const ProcessResult result = train(settings);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr(text));
  EXPECT_THAT(result.out, HasSubstr(text));
  const json document = prescript_json();
  EXPECT_NEAR(document["metrics"]["privacy_epsilon"], opacus, 1e-6 * opacus);
  EXPECT_EQ(document["metrics"]["privacy_delta"], 1e-3);
  for (const auto& line : metrics()) {
    if (!line.contains("loss")) continue;
    EXPECT_EQ(line["exemplars"], 12);
    EXPECT_NEAR(line["epsilon"], opacus, 1e-6 * opacus);
  }
}

TEST_F(TrainNoise, WithoutASeedNobodyCanMakeItAnew) {
  train_whole({kPrivacy});
  train_whole({kPrivacy, "output=runs/again"});
  EXPECT_NE(prompt(), prompt("again"));
}

TEST_F(TrainNoise, WithASeedItIsRepeatedAndTheSeedStaysInTheRun) {
  const std::string seed = std::string("privacy.seed=") + kSeed;
  const ProcessResult result = train({kPrivacy, seed});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("privacy.seed: whoever knows"));
  EXPECT_THAT(result.out + result.err, Not(HasSubstr(kSeed)));
  train_whole({kPrivacy, seed, "output=runs/again"});
  EXPECT_EQ(adapter(), adapter("again"));
  for (const auto& [name, bytes] : adapter()) EXPECT_THAT(bytes, Not(HasSubstr(kSeed))) << name;
  EXPECT_EQ(prescript_json()["provenance"]["privacy.seed"], "kept secret");
  train_whole({"output=runs/usual"});
  EXPECT_NE(prompt(), prompt("usual"));
}

// A hash of the exemplars would let a guess of the last of them be checked.
TEST_F(TrainNoise, TheAdapterHoldsNoHashOfTheExemplars) {
  train_whole({"output=runs/usual"});
  train_whole({kPrivacy});
  const std::string hash = prescript_json("usual")["provenance"]["train_sha256"];
  for (const auto& [name, bytes] : adapter()) EXPECT_THAT(bytes, Not(HasSubstr(hash))) << name;
  const json provenance = prescript_json()["provenance"];
  EXPECT_EQ(provenance["privacy.noise"], "1.3");
  EXPECT_EQ(provenance["privacy.clip_norm"], "0.5");
}

TEST_F(TrainNoise, AResumedRunGoesOnWithItsKeyWhichIsNeverPrinted) {
  train_whole({kPrivacy, "training.steps=2"});
  fs::copy(output(), output("copy"), fs::copy_options::recursive);
  train_whole({kPrivacy, "training.steps=4", "--resume"});
  train_whole({kPrivacy, "training.steps=4", "output=runs/copy", "--resume"});
  EXPECT_EQ(adapter(), adapter("copy"));
  EXPECT_EQ(metrics(), metrics("copy"));
  const ProcessResult shown =
      command({"inspect", "runs/out/checkpoints/step-00000004.safetensors"});
  ASSERT_EQ(shown.exit_code, 0) << shown.err;
  EXPECT_THAT(shown.out, HasSubstr("kept secret"));
  const std::string bytes = bytes_of_file(output() + "/checkpoints/step-00000004.safetensors");
  const std::string before = "privacy (noise key)\\\":\\\"";
  const size_t begin = bytes.find(before);
  ASSERT_NE(begin, std::string::npos);
  const size_t digits = begin + before.size();
  const std::string key = bytes.substr(digits, bytes.find('\\', digits) - digits);
  ASSERT_GT(key.size(), 10U);
  EXPECT_THAT(shown.out, Not(HasSubstr(key)));
  for (const auto& [name, text] : adapter()) EXPECT_THAT(text, Not(HasSubstr(key))) << name;
}

// When it ends depends on what was found, so ending early does not make it cheaper.
TEST_F(TrainNoise, ARunThatPatienceEndsCostsWhatTheWholeWould) {
  // So long a step that no later soft prompt is better than the first.
  const Arguments settings = {kPrivacy,
                              "privacy.seed=1",
                              "optimizer.learning_rate=10",
                              "training.evaluate_every=1",
                              "training.steps=30"};
  Arguments patient = settings;
  patient.push_back("training.patience=1");
  const ProcessResult result = train(patient);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  ASSERT_LT(metrics().size(), 30U) << "it ended early";
  EXPECT_THAT(result.out, HasSubstr(" after 30 steps "));
  Arguments whole = settings;
  whole.insert(whole.begin(), {"validate", "recipe.yaml"});
  whole.push_back("--json");
  const json planned = json::parse(command(whole).out);
  EXPECT_EQ(prescript_json()["metrics"]["privacy_epsilon"], planned["privacy"]["epsilon"]);
}

// Of a step that draws none there is no loss, and the noise moves the soft prompt all the same.
TEST_F(TrainNoise, StepsWithoutExemplarsAreStepsToo) {
  train_whole({kPrivacy, "privacy.seed=1", "training.batch_size=1", "training.steps=20"});
  int64_t num_empty = 0;
  for (const auto& line : metrics()) {
    if (!line.contains("exemplars") || line["exemplars"] != 0) continue;
    ++num_empty;
    EXPECT_EQ(line["loss"], nullptr);
    EXPECT_GT(line["grad_norm"], 0);
  }
  EXPECT_GT(num_empty, 0) << "of twenty, each with probability 0.35";
}

TEST_F(TrainNoise, WhatTheNoiseCannotHideIsRefused) {
  ProcessResult result = train({kPrivacy, "training.batch_size=13"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("there are 12 exemplars to train on"));
  directory_.write("validation.jsonl", validation_lines() + training_lines());
  result = train({kPrivacy});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, HasSubstr("under privacy no exemplar may be in both"));
  result = train({"privacy={clip_norm: 0.5, noise: 1.3, delta: 0.2}", "data.validation=null"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.err, HasSubstr("it is not below 1 / 12"));
}

}  // namespace
}  // namespace prescript
