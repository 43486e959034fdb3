// What `prescript train` leaves and says.

#include <cmath>
#include <fstream>
#include <thread>

#include <sys/stat.h>

#include "cli/train_run.h"

namespace prescript {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Key;
using testing::Not;

class TrainCommand : public TrainRun {};

TEST_F(TrainCommand, LeavesWhatTheDesignNames) {
  const ProcessResult result = train();
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(files_below(output()),
              ElementsAre(Key(".prescript-lock"),
                          Key("adapter/"),
                          Key("adapter/adapter_config.json"),
                          Key("adapter/adapter_model.safetensors"),
                          Key("adapter/prescript.json"),
                          Key("checkpoints/"),
                          Key("checkpoints/step-00000004.safetensors"),
                          Key("checkpoints/step-00000006.safetensors"),
                          Key("events.out.tfevents.prescript"),
                          Key("metrics.jsonl"),
                          Key("recipe.yaml")));
  std::vector<std::string> kinds;
  for (const auto& line : metrics()) {
    kinds.push_back((line.contains("loss") ? "s" : "v") + line["step"].dump());
  }
  EXPECT_THAT(kinds, ElementsAre("v0", "s1", "s2", "v2", "s3", "s4", "v4", "s5", "s6", "v6"));
  EXPECT_THAT(result.out, HasSubstr("validation loss without a soft prompt"));
  EXPECT_THAT(result.out, HasSubstr("at its start"));
  EXPECT_THAT(result.out, HasSubstr("runs/out/adapter"));
  EXPECT_THAT(result.err, HasSubstr("step 2: validation loss"));
}

TEST_F(TrainCommand, CountsOfOneAreSingular) {
  EXPECT_THAT(train({"training.steps=1"}).out, HasSubstr(" after 1 step   "));
  EXPECT_THAT(train({"training.batch_size=1", "--dry-run"}).out, HasSubstr("\n1 exemplar, "));
}

TEST_F(TrainCommand, EveryStepSaysWhatItTookAndTheSummaryOfWhichSteps) {
  const ProcessResult first = train({"training.steps=4"});
  EXPECT_THAT(first.out, HasSubstr("\nsteps 1 to 4  "));
  const ProcessResult result = train({"--resume"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  std::map<std::string, double> total;
  std::istringstream text(bytes_of_file(output() + "/metrics.jsonl"));
  for (std::string line; std::getline(text, line);) {
    const auto values = nlohmann::json::parse(line);
    if (!values.contains("loss")) continue;
    const double rate = values["flops_per_second"];
    EXPECT_NEAR(rate, values["flops"].get<double>() / values["seconds"].get<double>(), 1e-6 * rate);
    EXPECT_GT(values["share_of_peak"], 0);
    EXPECT_LT(values["share_of_peak"], 1);
    if (values["step"] <= 4) continue;
    for (const char* key : {"rows_computed", "rows_unshared", "rows_padded", "flops"}) {
      total[key] += values[key].get<double>();
    }
  }
  EXPECT_THAT(result.out, HasSubstr("\nsteps 5 to 6  "));
  EXPECT_THAT(result.out, HasSubstr("FLOP/s, "));
  EXPECT_THAT(result.out, HasSubstr(" % of the measured peak\n"));
  const size_t unit = result.out.find(" MFLOP, ");
  ASSERT_NE(unit, std::string::npos) << result.out;
  EXPECT_NEAR(std::stod(result.out.substr(result.out.rfind(' ', unit - 1))),
              total["flops"] / 1e6,
              total["flops"] / 1e8);
  EXPECT_THAT(result.out,
              HasSubstr(std::to_string(std::lround(total["rows_computed"])) + " rows computed (" +
                        std::to_string(std::lround(total["rows_unshared"])) + " unshared, " +
                        std::to_string(std::lround(total["rows_padded"])) + " padded), on "));
  EXPECT_THAT(train({"--resume"}).out, Not(HasSubstr("FLOP"))) << "no step was taken";
}

TEST_F(TrainCommand, TheLossFallsAndTheAdapterIsTheBestByValidation) {
  train_whole({"training.steps=40"});
  double best = INFINITY;
  int64_t best_step = 0;
  for (const auto& line : metrics()) {
    if (!line.contains("validation_loss") || line["step"] == 0) continue;
    if (line["validation_loss"] >= best) continue;
    best = line["validation_loss"];
    best_step = line["step"];
  }
  EXPECT_LT(best, metrics().front()["validation_loss"].get<double>() - 1);
  const auto document = nlohmann::json::parse(adapter()["prescript.json"]);
  EXPECT_EQ(document["metrics"]["validation_loss"], best);
  EXPECT_EQ(document["provenance"]["step"], std::to_string(best_step));
}

TEST_F(TrainCommand, ADryRunWritesNothing) {
  ASSERT_EQ(train({"--dry-run"}).exit_code, 0);  // fills the cache of hashes, if at all
  fs::remove_all(directory_ / "cache");
  const auto before = files_below(directory_.path());
  const ProcessResult result = train({"--dry-run"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("dry run of step 1: loss "));
  EXPECT_EQ(files_below(directory_.path()), before);
}

TEST_F(TrainCommand, ADryRunWritesTheGradientOfTheFirstStepWhereAsked) {
  ASSERT_EQ(train({"--dry-run", "--gradient", "g.safetensors"}).exit_code, 0);
  EXPECT_FALSE(fs::exists(directory_ / "runs"));
  train_whole();
  const auto file = SafetensorsFile::open(directory_ / "g.safetensors");
  ASSERT_EQ(file->tensors().size(), 1U);
  const SafetensorsTensor& gradient = file->tensors()[0];
  EXPECT_EQ(gradient.name, "gradient");
  EXPECT_EQ(gradient.dtype, "F32");
  EXPECT_THAT(gradient.shape, ElementsAre(4, 32));
  double squares = 0;
  for (const double value : values_of(gradient)) squares += value * value;
  EXPECT_NEAR(std::sqrt(squares), metrics()[1]["grad_norm"].get<double>(), 1e-12);
}

TEST_F(TrainCommand, OneFileAsTrainAndValidationIsAWarning) {
  EXPECT_THAT(train({"data.validation=train.jsonl"}).err, HasSubstr("warning: data.validation"));
}

TEST_F(TrainCommand, BeforeTheQuestionTheAdapterIsNotPeftsToLoad) {
  train_whole({"soft_prompt.position=before_question"});
  EXPECT_THAT(adapter(), ElementsAre(Key("prescript.json"), Key("soft_prompt.safetensors")));
  train_whole({"output=runs/start"});
  EXPECT_NE(metrics(), metrics("start"));
}

TEST_F(TrainCommand, AnAdapterCanBeTheBeginningOfAnother) {
  train_whole({"training.steps=40"});
  const ProcessResult result =
      train({"soft_prompt.init={from: adapter, path: runs/out/adapter}", "output=runs/second"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto first = nlohmann::json::parse(adapter()["prescript.json"]);
  EXPECT_NEAR(metrics("second").front()["validation_loss"].get<double>(),
              first["metrics"]["validation_loss"].get<double>(),
              1e-12);
}

TEST_F(TrainCommand, DataThatCanBeReadOnceIsEnough) {
  const std::string bytes = bytes_of_file(directory_ / "train.jsonl");
  ASSERT_EQ(::mkfifo((directory_ / "once.jsonl").c_str(), 0600), 0);
  std::thread writer([&] { std::ofstream(directory_ / "once.jsonl") << bytes; });
  train_whole({"data.train=once.jsonl"});
  writer.join();
  train_whole({"output=runs/plain"});
  EXPECT_EQ(adapter(), adapter("plain"));
}

}  // namespace
}  // namespace prescript
