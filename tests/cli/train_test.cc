#include <cmath>
#include <fstream>
#include <thread>

#include <sys/stat.h>

#include "cli/train_run.h"
#include "io/safetensors.h"
#include "support/tolerance.h"

namespace prescript {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Key;
using testing::Not;

std::vector<double> values_of(const SafetensorsTensor& tensor) {
  std::vector<float> values(tensor.bytes.size() / sizeof(float));
  std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  return {values.begin(), values.end()};
}

class TrainCommand : public TrainRun {
 protected:
  /// The soft prompt that a run exported.
  std::vector<double> prompt(const std::string& name) const {
    const std::string stem = output(name) + "/adapter/";
    const bool is_pefts = fs::exists(stem + "adapter_model.safetensors");
    const auto file = SafetensorsFile::open(
        stem + (is_pefts ? "adapter_model.safetensors" : "soft_prompt.safetensors"));
    return values_of(file->tensors().at(0));
  }
};

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
                        std::to_string(std::lround(total["rows_padded"])) + " padded)\n"));
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

TEST_F(TrainCommand, TheResolvedRecipeGivesTheSameAdapterByteForByte) {
  train_whole();
  const ProcessResult again = train_with({output() + "/recipe.yaml", "output=" + output("new")});
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(adapter("new"), adapter());
  EXPECT_EQ(metrics("new"), metrics());
}

TEST_F(TrainCommand, WhatIsAutoIsRecordedInTheResolvedRecipe) {
  std::string recipe = bytes_of_file(directory_ / "recipe.yaml");
  for (const std::string key : {"threads", "memory_gb", "micro_batch_tokens"}) {
    const size_t begin = recipe.find("  " + key);
    recipe.erase(begin, recipe.find('\n', begin) + 1 - begin);
  }
  directory_.write("recipe.yaml", recipe);
  train_whole();
  const std::string resolved = bytes_of_file(output() + "/recipe.yaml");
  EXPECT_THAT(resolved, Not(HasSubstr("auto")));
  const ProcessResult again = train_with({output() + "/recipe.yaml", "output=runs/new"});
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(adapter("new"), adapter());
  EXPECT_EQ(bytes_of_file(output("new") + "/recipe.yaml"),
            std::string(resolved).replace(resolved.find("runs/out"), 8, "runs/new"));
}

TEST_F(TrainCommand, TheSameRecipeGivesTheSameBitsInBothDtypesWhereverWeightsAre) {
  for (const std::string dtype : {"fp32", "bf16"}) {
    train_whole({"dtype=" + dtype, "output=runs/1" + dtype});
    train_whole({"dtype=" + dtype, "output=runs/2" + dtype});
    EXPECT_EQ(adapter("1" + dtype), adapter("2" + dtype));
    EXPECT_EQ(metrics("1" + dtype), metrics("2" + dtype));
    train_whole({"dtype=" + dtype, "weights.format=as_stored", "output=runs/3" + dtype});
    EXPECT_EQ(adapter("3" + dtype), adapter("1" + dtype));
    EXPECT_EQ(metrics("3" + dtype), metrics("1" + dtype));
  }
  EXPECT_NE(adapter("1fp32"), adapter("1bf16"));
}

TEST_F(TrainCommand, RowsOfAPassAndSharingChangeResultsByRoundingOnly) {
  train_whole();
  for (const std::string change : {"micro_batch_tokens=128", "share=false"}) {
    train_whole({"training." + change, "output=runs/" + change});
    // Adam divides by the gradient's own size, which shows rounding in its smallest elements.
    EXPECT_LE(tolerance::norm_error(prompt(change), prompt("out")), 1e-3) << change;
    for (size_t i = 0; i < metrics().size(); ++i) {
      const std::string key = metrics()[i].contains("loss") ? "loss" : "validation_loss";
      EXPECT_NEAR(metrics(change)[i][key].get<double>() / metrics()[i][key].get<double>(), 1, 1e-4);
    }
  }
  EXPECT_GT(metrics("share=false")[1]["rows_computed"], metrics()[1]["rows_computed"]);
  train_whole({"training.seed=8", "output=runs/seed"});
  EXPECT_GT(tolerance::norm_error(prompt("seed"), prompt("out")), 0.1);
}

TEST_F(TrainCommand, TextBeforeTheSoftPromptIsComputedOnceForTheWholeRun) {
  const Arguments with = {"soft_prompt.position=before_question", "data.instruction=Be kind."};
  const auto arguments = [&](const Arguments& more) {
    Arguments all = with;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  train_whole(arguments({"output=runs/shared"}));
  train_whole(arguments({"output=runs/unshared", "training.share=false"}));
  EXPECT_LE(tolerance::norm_error(prompt("shared"), prompt("unshared")), 1e-3);
  // Of the tiny model's template, before the question: "<s>user\nBe kind.\n\n", tokens are bytes.
  const int64_t head_start = 1 + 5 + 8 + 2;
  for (size_t i = 0; i < metrics("shared").size(); ++i) {
    const auto shared = metrics("shared")[i];
    const auto unshared = metrics("unshared")[i];
    if (!shared.contains("loss")) continue;
    EXPECT_EQ(unshared["rows_computed"], unshared["rows_unshared"]);
    EXPECT_LE(shared["rows_computed"].get<int64_t>(),
              unshared["rows_unshared"].get<int64_t>() - 5 * head_start);
    EXPECT_LT(shared["flops"], unshared["flops"]);
  }
}

TEST_F(TrainCommand, AnOccupiedOutputIsRefusedUnlessItIsOverwritten) {
  train_whole();
  const auto before = files_below(output());
  const ProcessResult refused = train({"training.seed=8"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, testing::AllOf(HasSubstr("--resume"), HasSubstr("--overwrite")));
  EXPECT_EQ(files_below(output()), before);
  train_whole({"training.seed=8", "--overwrite"});
  train_whole({"training.seed=8", "output=runs/new"});
  EXPECT_EQ(adapter(), adapter("new"));
  EXPECT_EQ(metrics(), metrics("new"));
}

TEST_F(TrainCommand, OfTwoRunsAtOnceTheSecondIsRefused) {
  ProcessOptions options;
  options.directory = directory_.path();
  options.environment = {{"XDG_CACHE_HOME", directory_ / "cache"},
                         {"OMP_NUM_THREADS", "1"},
                         {"PROGRAM", PRESCRIPT_PROGRAM}};
  options.arguments = {"/bin/sh", "-c", R"(
    "$PROGRAM" train recipe.yaml training.steps=1000000 2>first &
    while ! [ -s runs/out/metrics.jsonl ]; do sleep 0.01; done
    "$PROGRAM" train recipe.yaml --resume; echo "new $?"
    "$PROGRAM" train recipe.yaml --overwrite; echo "overwrite $?"
    kill -TERM $!; wait $!; echo "first $?")"};
  const ProcessResult result = run_process(options);
  EXPECT_EQ(result.out, "new 2\noverwrite 2\nfirst 75\n");
  EXPECT_THAT(result.err, HasSubstr("another run"));
}

TEST_F(TrainCommand, ALossThatIsNotFiniteIsExitSixNamingStepAndExemplars) {
  // Each step multiplies the soft prompt by 1 - 1e6.
  const Arguments blow_up = {"optimizer.learning_rate=1000",
                             "optimizer.weight_decay=1000",
                             "training.steps=50",
                             "data.validation=null"};
  const ProcessResult result = train(blow_up);
  EXPECT_EQ(result.exit_code, 6);
  const int64_t step = metrics().back()["step"].get<int64_t>();
  EXPECT_THAT(result.err, HasSubstr("step " + std::to_string(step + 1) + ": "));
  EXPECT_THAT(result.err, testing::ContainsRegex("exemplars? \"t[0-9]"));
  EXPECT_THAT(result.err, HasSubstr("optimizer.learning_rate"));
  EXPECT_FALSE(fs::exists(output() + "/adapter"));
  Arguments again = blow_up;
  again.push_back("--resume");
  const ProcessResult resumed = train(again);
  EXPECT_EQ(resumed.exit_code, 6);
  EXPECT_THAT(resumed.err, HasSubstr("resuming after step " + std::to_string(step)));
}

TEST_F(TrainCommand, AnOverLongExemplarIsExitThreeNamingIt) {
  directory_.write("train.jsonl",
                   training_lines() + exemplar_line("too-long", std::string(1100, 'q'), "No."));
  const ProcessResult result = train();
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, testing::AllOf(HasSubstr("train.jsonl:13"), HasSubstr("too-long")));
  EXPECT_THAT(result.err, Not(HasSubstr("qqq")));
  EXPECT_FALSE(fs::exists(output()));
}

TEST_F(TrainCommand, EachKindOfMistakeHasItsExitCode) {
  for (const auto& [code, argument, message] :
       std::vector<std::tuple<int, std::string, std::string>>{
           {2, "device=cuda", "cuda"},
           {2, "device=tpu", "tpu"},
           {2, "optimizer.learning_rat=1", "optimizer.learning_rate"},
           {2, "output=/proc/prescript", "/proc/prescript"},
           {2, "output=recipe.yaml", "recipe.yaml"},
           {2, "output=recipe.yaml/in", "recipe.yaml"},
           {3, "data.train=absent.jsonl", "absent.jsonl"},
           {3, "data.validation=absent.jsonl", "absent.jsonl"},
           {3, "data.few_shot=12", "data.few_shot"},
           {4, "base_model=absent", "absent"},
           {4, "soft_prompt.position=after_bos", "BOS"},
           {5, "training.micro_batch_tokens=10000000", "training.memory_gb"}}) {
    const ProcessResult result = train({argument});
    EXPECT_EQ(result.exit_code, code) << argument << ": " << result.err;
    EXPECT_THAT(result.err, HasSubstr(message)) << argument;
    EXPECT_FALSE(fs::exists(output() + "/recipe.yaml")) << argument;
  }
  EXPECT_EQ(train_with({"absent.yaml"}).exit_code, 2);
  EXPECT_EQ(train({"--resume", "--overwrite"}).exit_code, 2);
  EXPECT_EQ(train({"--gradient", "g.safetensors"}).exit_code, 2);
  EXPECT_EQ(train({}, {.environment = {{"WORLD_SIZE", "2"}}}).exit_code, 7);
}

TEST_F(TrainCommand, StaysWithinTheLeastMemoryThatARefusalNames) {
  for (const std::string setting : {"dtype=fp32", "dtype=bf16", "weights.format=as_stored"}) {
    const std::string refusal = train({setting, "training.memory_gb=0.01", "--dry-run"}).err;
    const size_t at = refusal.find("at least ");
    ASSERT_NE(at, std::string::npos) << refusal;
    const double least = std::stod(refusal.substr(at + 9));
    train_whole({setting, "training.memory_gb=" + std::to_string(least), "--overwrite"});
    const std::string log = bytes_of_file(output() + "/metrics.jsonl");
    const std::string key = "\"peak_rss_bytes\": ";
    EXPECT_LE(std::stod(log.substr(log.rfind(key) + key.size())), least * 1e9);
  }
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

TEST_F(TrainCommand, EverythingIsForItsOwnerOnly) {
  train_whole();
  for (const auto& [name, bytes] : files_below(output())) {
    struct stat status {};
    ASSERT_EQ(::stat((output() + "/" + name).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, name.ends_with('/') ? 0700U : 0600U) << name;
  }
}

TEST_F(TrainCommand, NoExemplarTextLeavesTheRun) {
  const ProcessResult result = train();
  ASSERT_EQ(result.exit_code, 0);
  std::string all = result.out + result.err;
  for (const auto& [name, bytes] : files_below(output())) all += bytes;
  for (const auto& [name, bytes] : files_below(directory_ / "cache")) all += bytes;
  EXPECT_THAT(all, Not(HasSubstr(kCanary)));
  EXPECT_THAT(all, Not(HasSubstr("beetle")));
}

TEST_F(TrainCommand, ErrorsHoldNoExemplarTextEither) {
  const std::string bad = std::string("a ") + kCanary;
  for (const std::string& line : {exemplar_line("t0", bad, bad),  // the id is taken
                                  exemplar_line("new", bad, ""),  // no answer
                                  exemplar_line("new", bad, "<|im_end|>" + bad),
                                  "{\"question\": \"" + bad + "\"\n"}) {  // no JSON
    directory_.write("train.jsonl", training_lines() + line);
    const ProcessResult result = train();
    EXPECT_EQ(result.exit_code, 3) << result.err;
    EXPECT_THAT(result.err, HasSubstr("train.jsonl:13"));
    EXPECT_THAT(result.out + result.err, Not(HasSubstr(kCanary)));
  }
}

TEST_F(TrainCommand, FewShotTextInTheAdapterIsAnnounced) {
  const ProcessResult result = train({"data.few_shot=2"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("text of 2 few-shot exemplars"));
  const auto document = nlohmann::json::parse(adapter()["prescript.json"]);
  EXPECT_EQ(document["hard_prompt"]["few_shot"].size(), 2U);
  EXPECT_EQ(document["provenance"]["num_exemplars"], "10");
  EXPECT_THAT(adapter()["prescript.json"], HasSubstr(kCanary));
  EXPECT_THAT(adapter()["adapter_config.json"], Not(HasSubstr(kCanary)));
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

TEST_F(TrainCommand, WhatNoRunLeftIsNeverDropped) {
  for (const char* flag : {"--overwrite", "--resume"}) {
    for (const char* name : {"checkpoints", "adapter"}) {
      const std::string foreign = output("foreign") + "/" + name + "/precious";
      std::filesystem::create_directories(foreign);
      const ProcessResult result = train({"output=runs/foreign", flag});
      EXPECT_EQ(result.exit_code, 2) << result.err;
      EXPECT_THAT(result.err, HasSubstr(name));
      EXPECT_TRUE(std::filesystem::exists(foreign));
      std::filesystem::remove_all(output("foreign"));
    }
  }
}

TEST_F(TrainCommand, AnAdapterWithoutCheckpointsIsNotResumed) {
  train_whole();
  const auto before = adapter();
  std::filesystem::remove_all(output() + "/checkpoints");
  const ProcessResult result = train({"--resume", "optimizer.learning_rate=1"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("no checkpoint to go on from"));
  EXPECT_EQ(adapter(), before);
  train_whole({"--overwrite"});
}

TEST_F(TrainCommand, FewerStepsThanWereFinishedAreRefused) {
  train_whole();
  const auto before = adapter();
  const ProcessResult result = train({"--resume", "training.steps=2"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("training.steps: it is 2"));
  EXPECT_EQ(adapter(), before);
}

TEST_F(TrainCommand, AGradientGoesIntoAFileOnly) {
  for (const std::string& path : {std::string(), directory_.path(), directory_ / "pipe"}) {
    ::mkfifo((directory_ / "pipe").c_str(), 0600);
    const ProcessResult result = train({"--dry-run", "--gradient", path});
    EXPECT_EQ(result.exit_code, 2) << path;
    EXPECT_THAT(result.err, HasSubstr("--gradient"));
  }
  EXPECT_TRUE(std::filesystem::is_fifo(directory_ / "pipe"));
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

TEST_F(TrainCommand, AFileBeyondTheLimitIsExitFive) {
  ProcessOptions options;
  options.directory = directory_.path();
  options.environment["OMP_NUM_THREADS"] = "1";
  options.arguments = {"/bin/sh",
                       "-c",
                       std::string("ulimit -f 4; exec '") + PRESCRIPT_PROGRAM +
                           "' train recipe.yaml training.steps=60"};
  const ProcessResult result = run_process(options);
  EXPECT_EQ(result.exit_code, 5) << result.signal;
  EXPECT_THAT(result.err, HasSubstr("File too large"));
  train_whole({"--resume", "training.steps=60"});
}

}  // namespace
}  // namespace prescript
