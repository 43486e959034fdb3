// Searches: several candidates in one run.

#include "cli/train_run.h"
#include "io/safetensors.h"

namespace prescript {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;
using testing::ContainsRegex;
using testing::ElementsAre;
using testing::HasSubstr;

class TrainSearch : public TrainRun {
 protected:
  static constexpr const char* kSearch = "search={learning_rate: [0.05, 0.01], seed: [7, 8]}";

  /// A search of four, with what is more.
  static Arguments search(Arguments more = {}) {
    more.insert(more.begin(), {kSearch, "optimizer.learning_rate=null"});
    return more;
  }

  ordered_json report(const std::string& name = "out") const {
    return ordered_json::parse(bytes_of_file(output(name) + "/search.json"));
  }

  /// Lines of a candidate by its number.
  std::vector<ordered_json> lines_of(size_t candidate, const std::string& name = "out") const {
    std::vector<ordered_json> lines;
    for (ordered_json line : metrics(name)) {
      if (line.value("candidate", size_t{0}) == candidate) lines.push_back(line);
    }
    return lines;
  }
};

TEST_F(TrainSearch, EveryCandidateEqualsARunOfItsOwnAndTheBestIsExported) {
  const ProcessResult result = train(search());
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const ordered_json found = report();
  ASSERT_EQ(found["candidates"].size(), 4U);
  size_t number = 0;
  size_t best = 0;
  double least = INFINITY;
  for (const std::string rate : {"0.05", "0.01"}) {
    for (const std::string seed : {"7", "8"}) {
      const std::string name = "solo" + std::to_string(++number);
      train_whole(
          {"optimizer.learning_rate=" + rate, "training.seed=" + seed, "output=runs/" + name});
      const ordered_json& candidate = found["candidates"][number - 1];
      EXPECT_EQ(candidate["candidate"], number);
      EXPECT_EQ(candidate["learning_rate"], std::stod(rate));
      EXPECT_EQ(candidate["weight_decay"], 0);
      EXPECT_EQ(candidate["seed"], std::stoi(seed));
      EXPECT_EQ(candidate["steps"], 6);
      const auto lines = lines_of(number);
      const auto expected = metrics(name);
      ASSERT_EQ(lines.size(), expected.size());
      for (size_t i = 0; i < lines.size(); ++i) {
        const char* key = expected[i].contains("loss") ? "loss" : "validation_loss";
        EXPECT_EQ(lines[i]["step"], expected[i]["step"]);
        EXPECT_NEAR(lines[i][key].get<double>() / expected[i][key].get<double>(), 1, 1e-5);
      }
      const auto document = nlohmann::json::parse(adapter(name)["prescript.json"]);
      EXPECT_NEAR(candidate["validation_loss"], document["metrics"]["validation_loss"], 1e-4);
      EXPECT_EQ(std::to_string(candidate["best_step"].get<int>()), document["provenance"]["step"]);
      if (candidate["validation_loss"] < least) {
        least = candidate["validation_loss"];
        best = number;
      }
    }
  }
  EXPECT_EQ(found["best"], best);
  EXPECT_THAT(result.out, ContainsRegex("candidate +learning rate +weight decay +seed +steps"));
  EXPECT_THAT(result.out, ContainsRegex("\n +" + std::to_string(best) + " [^\n]*  the best\n"));
  auto exported = nlohmann::json::parse(adapter()["prescript.json"])["provenance"];
  const auto alone =
      nlohmann::json::parse(adapter("solo" + std::to_string(best))["prescript.json"])["provenance"];
  EXPECT_EQ(exported["search.learning_rate"], "[0.05, 0.01]");
  EXPECT_EQ(exported["search.seed"], "[7, 8]");
  exported.erase("search.learning_rate");
  exported.erase("search.seed");
  EXPECT_EQ(exported, alone) << "its settings are those of the best candidate";
}

TEST_F(TrainSearch, ItsStepsCostOneLineForAll) {
  train_whole(search());
  size_t num_lines = 0;
  for (const ordered_json& line : metrics()) {
    if (!line.contains("rows_computed")) continue;
    EXPECT_FALSE(line.contains("candidate"));
    EXPECT_EQ(line["step"], ++num_lines);
  }
  EXPECT_EQ(num_lines, 6U);
}

TEST_F(TrainSearch, ResumedItEqualsAnUninterruptedOne) {
  train_whole(search({"output=runs/whole"}));
  train_whole(search({"training.steps=4"}));
  const ProcessResult result = train(search({"--resume"}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(metrics(), metrics("whole"));
  EXPECT_EQ(adapter(), adapter("whole"));
  EXPECT_EQ(report(), report("whole"));
  const auto before = files_below(output());
  ASSERT_EQ(train(search({"--resume"})).exit_code, 0);
  EXPECT_EQ(files_below(output()), before);

  const ProcessResult resolved =
      train_with({output() + "/recipe.yaml", "output=" + output("again")});
  ASSERT_EQ(resolved.exit_code, 0) << resolved.err;
  EXPECT_EQ(adapter("again"), adapter());
}

TEST_F(TrainSearch, ChangedCandidatesAreRefusedOnResume) {
  train_whole(search({"training.steps=2", "training.patience=3"}));
  const std::string rates = "learning_rate: [0.05, 0.01]";
  for (const Arguments& changed :
       {Arguments{"search={" + rates + ", seed: [8, 7]}",
                  "optimizer.learning_rate=null",
                  "training.patience=3"},
        Arguments{"search={" + rates + ", seed: [7, 8], weight_decay: [0]}",
                  "optimizer.learning_rate=null",
                  "optimizer.weight_decay=null",
                  "training.patience=3"},
        Arguments{kSearch, "optimizer.learning_rate=null", "training.patience=4"},
        Arguments{"training.patience=3"}}) {
    Arguments arguments = changed;
    arguments.push_back("--resume");
    const ProcessResult result = train(arguments);
    EXPECT_EQ(result.exit_code, 2) << result.err;
    EXPECT_THAT(result.err, HasSubstr("but the run in this directory has"));
  }
  EXPECT_THAT(train({"training.patience=3", "--resume"}).err,
              HasSubstr("search.learning_rate: it is absent, but"))
      << "not what a candidate's rate became without it";
  EXPECT_EQ(train(search({"training.patience=3", "--resume"})).exit_code, 0);
}

TEST_F(TrainSearch, OverwritingDropsItsReport) {
  train_whole(search());
  EXPECT_TRUE(fs::exists(output() + "/search.json"));
  train_whole({"--overwrite"});
  EXPECT_FALSE(fs::exists(output() + "/search.json"));
  train_whole({"output=runs/plain"});
  EXPECT_EQ(adapter(), adapter("plain"));
  EXPECT_EQ(metrics(), metrics("plain"));
}

TEST_F(TrainSearch, ACandidateThatIsNotFiniteIsOutAndSaidSo) {
  const Arguments arguments = {"search.learning_rate=[0.01, 1000]",
                               "optimizer.learning_rate=null",
                               "optimizer.weight_decay=500",
                               "training.steps=12"};
  const ProcessResult result = train(arguments);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("candidate 2 (learning rate 1000, weight decay 500, seed 7)"));
  EXPECT_THAT(result.err, ContainsRegex("is out: the [a-z]+ is not finite"));
  EXPECT_THAT(result.out, ContainsRegex("not finite at step [0-9]+\n"));
  EXPECT_EQ(report()["best"], 1);
  EXPECT_GT(report()["candidates"][1]["failed_step"], 0);
  EXPECT_TRUE(report()["candidates"][0]["failed_step"].is_null());
}

TEST_F(TrainSearch, ADryRunTellsOfEachCandidate) {
  const ProcessResult result = train(search({"--dry-run", "--gradient", "g.safetensors"}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out,
              HasSubstr("dry run of step 1, candidate 4 (learning rate 0.01, weight decay 0, seed "
                        "8): loss "));
  EXPECT_THAT(result.out, HasSubstr("\n20 exemplars, "));
  EXPECT_FALSE(fs::exists(output()));
  std::vector<std::string> names;
  const auto file = SafetensorsFile::open(directory_ / "g.safetensors");
  for (const SafetensorsTensor& tensor : file->tensors()) names.push_back(tensor.name);
  EXPECT_THAT(names, ElementsAre("gradient.1", "gradient.2", "gradient.3", "gradient.4"));
}

TEST_F(TrainSearch, ASettingThatItReplacesIsRefused) {
  const ProcessResult result = train({kSearch});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err,
              HasSubstr("optimizer.learning_rate: has no effect beside search.learning_rate"));
}

TEST_F(TrainSearch, InspectTellsOfEachCandidate) {
  train_whole(search());
  const auto inspect = [&](const std::string& path, Arguments more = {}) {
    more.insert(more.begin(), {"inspect", path, "--json"});
    const ProcessResult result = run_prescript(more, {.directory = directory_.path()});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return ordered_json::parse(result.out);
  };
  const ordered_json found = inspect(output());
  EXPECT_EQ(found["best_candidate"], report()["best"]);
  ASSERT_EQ(found["candidates"].size(), 4U);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(found["candidates"][i]["best"], report()["candidates"][i]["validation_loss"]);
  }
  EXPECT_EQ(inspect(output() + "/checkpoints/step-00000006.safetensors")["candidates"].size(), 4U);
  const ordered_json recipe = inspect("recipe.yaml", search());
  EXPECT_EQ(recipe["candidates"], 4);
  EXPECT_EQ(recipe["first_step"]["rows_shared"], metrics()[8]["rows_computed"]);
  EXPECT_EQ(recipe["first_step"]["rows_unshared"], metrics()[8]["rows_unshared"]);
}

}  // namespace
}  // namespace prescript
