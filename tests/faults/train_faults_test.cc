// `prescript train` is killed, or loses its disk, at every call that writes below its output
// directory: what is published is whole at any time, and --resume gives the undisturbed run's
// adapter.

#include <csignal>

#include "base/durable_file.h"
#include "base/seal.h"
#include "cli/train_run.h"
#include "support/fault.h"

namespace prescript {
namespace {

namespace fs = std::filesystem;
using testing::AnyOf;
using testing::Eq;
using testing::HasSubstr;

using Files = std::map<std::string, std::string>;

constexpr const char* kCalls = "write,fsync,rename,unlink";

struct FaultCase {
  const char* name;
  const char* kind;             // of the fault
  const char* calls;            // that fail, each once
  const char* flag = "";        // of the disturbed run
  const char* earlier = "";     // the seed of a run that is there already; empty: there is none
  bool only_beginning = false;  // until the run writes its first line
};

std::ostream& operator<<(std::ostream& out, const FaultCase& fault_case) {
  return out << fault_case.name;
}

/// The files of a run whose names begin like this and are published.
Files part_of(const Files& files, const std::string& prefix) {
  Files part;
  for (const auto& [name, bytes] : files) {
    if (name.starts_with(prefix) && !name.ends_with(kUnpublishedSuffix)) part[name] = bytes;
  }
  return part;
}

class TrainFaults : public TrainRun, public testing::WithParamInterface<FaultCase> {
 protected:
  TrainFaults() {
    write_tiny_model(directory_ / "tiny", {.num_layers = 1});
    fs::create_directory(runs_);
    if (has_earlier_run())
      train_well({"training.steps=2", std::string("training.seed=") + GetParam().earlier});
    earlier_ = files_below(output());
    fs::rename(runs_, directory_ / "earlier");
    restore_earlier_run();
    const ProcessResult result = run({.log = directory_ / "log"}, GetParam().flag);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    undisturbed_ = files_below(output());
    undisturbed_metrics_ = metrics();
  }

  bool has_earlier_run() const { return *GetParam().earlier != '\0'; }

  bool overwrites() const { return std::string(GetParam().flag) == "--overwrite"; }

  void train_well(Arguments arguments) const {
    arguments.insert(arguments.end(), {"training.evaluate_every=2", "training.checkpoint_every=1"});
    train_whole(arguments);
  }

  void restore_earlier_run() const {
    fs::remove_all(runs_);
    fs::copy(directory_ / "earlier", runs_, fs::copy_options::recursive);
  }

  /// The run that is disturbed, or what follows it.
  ProcessResult run(Fault fault, const std::string& flag) const {
    fault.root = runs_;
    fault.calls = GetParam().calls;
    Arguments arguments = {
        "training.steps=3", "training.evaluate_every=2", "training.checkpoint_every=1"};
    if (!flag.empty()) arguments.push_back(flag);
    return train(arguments, {.environment = fault_environment(fault)});
  }

  /// How many calls are to fail.
  int num_calls() const {
    std::istringstream log(bytes_of_file(directory_ / "log"));
    int count = 0;
    for (std::string line; std::getline(log, line); ++count) {
      if (GetParam().only_beginning && line.find("metrics.jsonl") != std::string::npos &&
          !line.starts_with("unlink")) {
        break;
      }
    }
    return count;
  }

  /// Whatever has its final name is whole.
  void expect_nothing_torn() const {
    const Files found = files_below(output());
    for (const char* published : {"adapter/", "recipe.yaml"}) {
      EXPECT_THAT(
          part_of(found, published),
          AnyOf(Files(), Eq(part_of(undisturbed_, published)), Eq(part_of(earlier_, published))));
    }
    for (const auto& [name, bytes] : part_of(found, "checkpoints/step-")) {
      EXPECT_TRUE(seal_is_intact(bytes)) << name;
    }
  }

  /// Goes on after the fault and ends as the undisturbed run did.
  void expect_resumes() const {
    const Files before = files_below(output());
    ProcessResult resumed = run({}, "--resume");
    if (overwrites() && resumed.exit_code == 2) {
      EXPECT_EQ(before, earlier_) << "neither the old run nor the new one can go on";
      resumed = run({}, "--overwrite");
    }
    ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
    for (const char* published : {"adapter/", "recipe.yaml"}) {
      EXPECT_EQ(part_of(files_below(output()), published), part_of(undisturbed_, published));
    }
    EXPECT_EQ(metrics(), undisturbed_metrics_);
    EXPECT_EQ(fs::file_size(output() + "/events.out.tfevents.prescript"),
              undisturbed_.at("events.out.tfevents.prescript").size());
    for (const auto& [name, bytes] : files_below(output())) {
      EXPECT_FALSE(name.ends_with(kUnpublishedSuffix)) << name;
    }
  }

  std::string runs_ = directory_ / "runs";
  Files earlier_;
  Files undisturbed_;
  std::vector<nlohmann::ordered_json> undisturbed_metrics_;
};

TEST_P(TrainFaults, AtEveryCallNothingIsTornAndTheRunResumes) {
  const bool dies =
      std::string(GetParam().kind) == "kill" || std::string(GetParam().kind) == "torn";
  const int num = num_calls();
  ASSERT_GT(num, 5);
  for (int at = 1; at <= num; ++at) {
    restore_earlier_run();
    const ProcessResult result = run({.at = at, .kind = GetParam().kind}, GetParam().flag);
    if (dies) {
      EXPECT_EQ(result.signal, SIGKILL);
    } else {
      EXPECT_EQ(result.exit_code, 5) << result.err;
      EXPECT_THAT(result.err, HasSubstr("runs")) << "the path is not named";
    }
    expect_nothing_torn();
    expect_resumes();
    ASSERT_FALSE(HasFailure()) << "call " << at << " of " << num;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Run,
    TrainFaults,
    testing::Values(FaultCase{"NewKilled", "kill", kCalls},
                    FaultCase{"NewTorn", "torn", "write"},
                    FaultCase{"NewWithoutSpace", "enospc", kCalls},
                    FaultCase{"NewWithDiskErrors", "eio", kCalls},
                    FaultCase{"OverwriteKilled", "kill", kCalls, "--overwrite", "8", true},
                    FaultCase{"OverwriteWithoutSpace", "enospc", kCalls, "--overwrite", "8", true},
                    FaultCase{"LongerKilled", "kill", kCalls, "--resume", "7"}),
    [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace prescript
