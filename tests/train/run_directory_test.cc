#include "train/run_directory.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/expect_error.h"
#include "support/temporary_directory.h"
#include "support/unprivileged.h"

namespace prescript {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using Mode = RunDirectory::Mode;

Checkpoint checkpoint_of(int64_t step) {
  Checkpoint checkpoint;
  checkpoint.state.step = step;
  checkpoint.state.evaluated_step = step;
  checkpoint.state.candidates = {{.prompt = {1, 2, {static_cast<float>(step), 1}}}};
  return checkpoint;
}

unsigned mode_of(const std::string& path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 0777U;
}

std::vector<std::string> names_in(const std::string& dir) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(dir)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

class RunDirectoryTest : public testing::Test {
 protected:
  /// The newest whole checkpoint, and what was said about others.
  std::optional<Checkpoint> newest(const RunDirectory& directory) {
    return directory.newest_checkpoint(
        [this](const std::string& reason) { warnings_.push_back(reason); });
  }

  TemporaryDirectory directory_;
  std::string path_ = directory_ / "run";
  std::vector<std::string> warnings_;
};

TEST_F(RunDirectoryTest, IsMadeWithItsParentsForItsOwnerOnly) {
  const RunDirectory directory(directory_ / "a/b/run/", Mode::kNew);
  EXPECT_EQ(directory.path(), directory_ / "a/b/run");
  for (const char* made : {"a", "a/b", "a/b/run"}) {
    EXPECT_EQ(mode_of(directory_ / made), 0700U) << made;
  }
}

TEST_F(RunDirectoryTest, AnEmptyOrForeignDirectoryIsTaken) {
  fs::create_directory(path_);
  directory_.write("run/notes.txt", "mine");
  RunDirectory directory(path_, Mode::kNew);
  directory.begin("training:\n");
  EXPECT_EQ(bytes_of_file(path_ + "/notes.txt"), "mine");
}

TEST_F(RunDirectoryTest, ANewRunIsRefusedWhereAnyPieceOfARunLies) {
  for (const std::string mark : {"recipe.yaml",
                                 "metrics.jsonl",
                                 "checkpoints/step-00000001.safetensors",
                                 "adapter/prescript.json"}) {
    fs::create_directories(fs::path(path_) / fs::path(mark).parent_path());
    directory_.write("run/" + mark, "old");
    const std::string name = *fs::path(mark).begin();
    expect_input_error(ExitCode::kUsage, name, [&] { RunDirectory(path_, Mode::kNew); });
    expect_input_error(ExitCode::kUsage, "--resume", [&] { RunDirectory(path_, Mode::kNew); });
    RunDirectory(path_, Mode::kOverwrite);
    RunDirectory(path_, Mode::kResume);
    EXPECT_EQ(bytes_of_file(path_ + "/" + mark), "old") << "nothing is dropped before `begin`";
    fs::remove_all(path_);
  }
}

TEST_F(RunDirectoryTest, WhatNoRunLeftIsRefusedInEveryMode) {
  for (const std::string foreign : {"checkpoints", "checkpoints/notes", "adapter/notes"}) {
    fs::create_directories(fs::path(path_) / fs::path(foreign).parent_path());
    directory_.write("run/" + foreign, "precious");
    for (const Mode mode : {Mode::kNew, Mode::kResume, Mode::kOverwrite}) {
      expect_input_error(ExitCode::kUsage, path_, [&] { RunDirectory(path_, mode); });
    }
    EXPECT_EQ(bytes_of_file(path_ + "/" + foreign), "precious");
    fs::remove_all(path_);
  }
}

TEST_F(RunDirectoryTest, DroppingARunThatWasCutOffTakesItsAdapterToo) {
  fs::create_directories(path_ + "/checkpoints.prescript-tmp");
  fs::create_directories(path_ + "/adapter");
  directory_.write("run/adapter/prescript.json", "old");
  const RunDirectory directory(path_, Mode::kResume);
  EXPECT_FALSE(fs::exists(path_ + "/adapter"));
  EXPECT_FALSE(directory.newest_checkpoint([](const std::string&) {}));
}

TEST_F(RunDirectoryTest, AnAdapterWithoutCheckpointsIsNotStartedAgain) {
  fs::create_directories(path_ + "/adapter");
  directory_.write("run/adapter/prescript.json", "old");
  const RunDirectory directory(path_, Mode::kResume);
  expect_input_error(ExitCode::kUsage, "no checkpoint to go on from", [&] {
    directory.newest_checkpoint([](const std::string&) {});
  });
}

TEST_F(RunDirectoryTest, ASecondHolderIsRefusedWhateverItsMode) {
  const auto first = std::make_unique<RunDirectory>(path_, Mode::kNew);
  for (const Mode mode : {Mode::kNew, Mode::kResume, Mode::kOverwrite}) {
    expect_input_error(ExitCode::kUsage, "another run", [&] { RunDirectory(path_, mode); });
  }
}

TEST_F(RunDirectoryTest, WhatItMadeIsGoneAgainWhereNoRunBegan) {
  fs::create_directory(directory_ / "own");
  { const RunDirectory directory(directory_ / "own/a/b", Mode::kNew); }
  EXPECT_THAT(names_in(directory_ / "own"), ElementsAre());

  { const RunDirectory directory(directory_ / "own", Mode::kNew); }
  EXPECT_TRUE(fs::exists(directory_ / "own")) << "it was there before";

  {
    const RunDirectory directory(directory_ / "own/a", Mode::kNew);
    directory_.write("own/a/notes", "somebody else's");
  }
  EXPECT_THAT(names_in(directory_ / "own/a"), ElementsAre(".prescript-lock", "notes"));
}

TEST_F(RunDirectoryTest, TheLockEndsWithItsHolder) {
  { const RunDirectory first(path_, Mode::kNew); }
  EXPECT_NO_THROW(RunDirectory(path_, Mode::kNew));
}

TEST_F(RunDirectoryTest, ClearsWhatACrashLeftAndNothingElse) {
  fs::create_directories(path_ + "/adapter.prescript-tmp");
  fs::create_directories(path_ + "/checkpoints");
  directory_.write("run/adapter.prescript-tmp/prescript.json", "half");
  directory_.write("run/recipe.yaml.aB3dEf.prescript-tmp", "half");
  directory_.write("run/checkpoints/step-00000001.safetensors.aB3dEf.prescript-tmp", "half");
  directory_.write("run/checkpoints/step-00000001.safetensors", "whole");
  directory_.write("run/metrics.jsonl", "{}\n");
  const RunDirectory directory(path_, Mode::kResume);
  EXPECT_THAT(names_in(path_), ElementsAre(".prescript-lock", "checkpoints", "metrics.jsonl"));
  EXPECT_THAT(names_in(path_ + "/checkpoints"), ElementsAre("step-00000001.safetensors"));
}

TEST_F(RunDirectoryTest, KeepsTheNewestTwoCheckpoints) {
  RunDirectory directory(path_, Mode::kNew);
  directory.begin("training:\n");
  EXPECT_FALSE(newest(directory));
  for (const int64_t step : {0, 5, 10, 15}) {
    directory.save(checkpoint_of(step));
    EXPECT_EQ(newest(directory)->state.step, step);
  }
  EXPECT_THAT(names_in(path_ + "/checkpoints"),
              ElementsAre("step-00000010.safetensors", "step-00000015.safetensors"));
  EXPECT_TRUE(warnings_.empty());
}

TEST_F(RunDirectoryTest, StepsAreOrderedAsNumbers) {
  fs::create_directories(path_ + "/checkpoints");
  for (const char* name : {"step-00000009.safetensors",
                           "step-123456789.safetensors",
                           "step-00000010.safetensors",
                           "step-.safetensors",
                           "step-1x.safetensors",
                           "step--0000001.safetensors",
                           "notes.txt"}) {
    directory_.write(std::string("run/checkpoints/") + name, "");
  }
  std::vector<int64_t> steps;
  for (const auto& [step, file] : list_checkpoints(path_ + "/checkpoints")) steps.push_back(step);
  EXPECT_THAT(steps, ElementsAre(123456789, 10, 9));
  EXPECT_TRUE(list_checkpoints(directory_ / "none").empty());
}

TEST_F(RunDirectoryTest, ADamagedNewestCheckpointGivesWayToTheOlderWithAWarning) {
  RunDirectory directory(path_, Mode::kNew);
  directory.begin("training:\n");
  directory.save(checkpoint_of(5));
  directory.save(checkpoint_of(10));
  std::string bytes = bytes_of_file(path_ + "/checkpoints/step-00000010.safetensors");
  bytes.back() ^= 1;
  directory_.write("run/checkpoints/step-00000010.safetensors", bytes);
  EXPECT_EQ(newest(directory)->state.step, 5);
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("step-00000010.safetensors")));
}

TEST_F(RunDirectoryTest, OnlyDamagedCheckpointsAreAnError) {
  RunDirectory directory(path_, Mode::kNew);
  directory.begin("training:\n");
  directory.save(checkpoint_of(5));
  directory_.write("run/checkpoints/step-00000005.safetensors", "damaged");
  expect_input_error(ExitCode::kUsage, "--overwrite", [&] { newest(directory); });
}

TEST_F(RunDirectoryTest, BeginDropsTheOldRunAndWritesTheRecipe) {
  {
    RunDirectory old(path_, Mode::kNew);
    old.begin("old");
    old.save(checkpoint_of(5));
    fs::create_directory(old.adapter_path());
    directory_.write("run/adapter/prescript.json", "old");
    directory_.write("run/metrics.jsonl", "old");
    directory_.write("run/" + fs::path(old.events_path()).filename().string(), "old");
  }
  RunDirectory directory(path_, Mode::kOverwrite);
  EXPECT_EQ(newest(directory)->state.step, 5);
  directory.begin("new");
  EXPECT_FALSE(newest(directory));
  EXPECT_EQ(bytes_of_file(directory.recipe_path()), "new");
  EXPECT_THAT(names_in(path_), ElementsAre(".prescript-lock", "checkpoints", "recipe.yaml"));
  EXPECT_TRUE(fs::is_empty(path_ + "/checkpoints"));
}

TEST_F(RunDirectoryTest, ReplaceRecipeLeavesTheRestAlone) {
  RunDirectory directory(path_, Mode::kNew);
  directory.begin("old");
  directory.save(checkpoint_of(5));
  directory.replace_recipe("new");
  EXPECT_EQ(bytes_of_file(directory.recipe_path()), "new");
  EXPECT_EQ(newest(directory)->state.step, 5);
}

TEST_F(RunDirectoryTest, FilesAreForTheirOwnerOnly) {
  RunDirectory directory(path_, Mode::kNew);
  directory.begin("training:\n");
  directory.save(checkpoint_of(5));
  EXPECT_EQ(mode_of(directory.recipe_path()), 0600U);
  EXPECT_EQ(mode_of(path_ + "/checkpoints"), 0700U);
  EXPECT_EQ(mode_of(path_ + "/checkpoints/step-00000005.safetensors"), 0600U);
  EXPECT_EQ(mode_of(path_ + "/.prescript-lock"), 0600U);
}

TEST_F(RunDirectoryTest, APlainFileInTheWayIsNamed) {
  directory_.write("run", "a file");
  expect_input_error(ExitCode::kUsage, path_, [&] { RunDirectory(path_, Mode::kOverwrite); });
  expect_input_error(ExitCode::kUsage, path_, [&] { RunDirectory(path_ + "/in", Mode::kNew); });
  EXPECT_EQ(bytes_of_file(path_), "a file");
}

TEST_F(RunDirectoryTest, AReadOnlyParentIsNamed) {
  fs::permissions(directory_.path(), fs::perms(0555));
  {
    const Unprivileged user;
    expect_input_error(ExitCode::kUsage, path_, [&] { RunDirectory(path_, Mode::kNew); });
  }
  fs::permissions(directory_.path(), fs::perms(0700));
}

}  // namespace
}  // namespace prescript
