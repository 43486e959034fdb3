// The fault shim does what its header says, so that the crash tests built on it mean something.

#include <csignal>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/fault.h"
#include "support/run_process.h"
#include "support/temporary_directory.h"

namespace prescript {
namespace {

constexpr char kAllCalls[] = "open,write,fsync,rename,unlink,close,truncate";

class FaultShim : public testing::Test {
 protected:
  FaultShim() { std::filesystem::create_directory(folder_); }

  ProcessResult run(Fault fault, const std::string& way = "posix") {
    if (fault.root.empty()) fault.root = folder_;
    fault.log = log_;
    return run_process({.arguments = {PRESCRIPT_FAULT_VICTIM, folder_, way},
                        .environment = fault_environment(fault)});
  }

  /// The logged calls, their paths relative to the folder.
  std::vector<std::string> calls() const {
    std::istringstream log(bytes_of_file(log_));
    std::vector<std::string> lines;
    for (std::string line; std::getline(log, line);) {
      const size_t place = line.find(canonical_);
      lines.push_back(place == std::string::npos ? line : line.erase(place, canonical_.size()));
    }
    return lines;
  }

  TemporaryDirectory directory_;
  std::string folder_ = directory_ / "root";
  std::string log_ = directory_ / "log";
  std::string canonical_ = std::filesystem::canonical(directory_.path()).string() + "/root";
};

TEST_F(FaultShim, LogsEveryCallInOrder) {
  const ProcessResult result = run({.calls = kAllCalls});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, "end\n");
  const std::vector<std::string> expected = {"open /new",
                                             "write /new",
                                             "write /new",
                                             "truncate /new",
                                             "fsync /new",
                                             "close /new",
                                             "rename /final",
                                             "open ",
                                             "fsync ",
                                             "close ",
                                             "unlink /final"};
  EXPECT_EQ(calls(), expected);
}

TEST_F(FaultShim, KillsBeforeTheChosenCall) {
  for (int at = 1; at <= 11; ++at) {
    std::filesystem::remove(log_);
    std::filesystem::remove(folder_ + "/new");
    std::filesystem::remove(folder_ + "/final");
    const ProcessResult result = run({.calls = kAllCalls, .at = at});
    EXPECT_EQ(result.signal, SIGKILL) << at;
    EXPECT_EQ(result.out, "") << at;
    EXPECT_EQ(calls().size(), static_cast<size_t>(at));
    EXPECT_EQ(std::filesystem::exists(folder_ + "/new"), at >= 2 && at <= 7) << at;
    EXPECT_EQ(std::filesystem::exists(folder_ + "/final"), at >= 8) << at;
    if (at == 3) {
      EXPECT_EQ(std::filesystem::file_size(folder_ + "/new"), 10U);
    }
  }
}

TEST_F(FaultShim, TearsAWrite) {
  const ProcessResult result = run({.calls = "write", .at = 2, .kind = "torn"});
  EXPECT_EQ(result.signal, SIGKILL);
  EXPECT_EQ(bytes_of_file(folder_ + "/new"), "012345678901234");
}

TEST_F(FaultShim, FailsOnceWithTheError) {
  EXPECT_EQ(run({.at = 1, .kind = "enospc"}).out, "write: No space left on device\nend\n");
  EXPECT_EQ(run({.at = 3, .kind = "eio"}).out, "fsync: Input/output error\nend\n");
  EXPECT_EQ(run({.at = 4, .kind = "enospc"}).out.substr(0, 32),
            "rename: No space left on device\n");
  EXPECT_EQ(run({.calls = "truncate", .at = 1, .kind = "eio"}).out,
            "truncate: Input/output error\nend\n");
  EXPECT_EQ(run({.calls = "close", .at = 1, .kind = "eio"}).out,
            "close: Input/output error\nend\n");
  EXPECT_EQ(run({.calls = "open", .at = 1, .kind = "enospc"}).out.substr(0, 30),
            "open: No space left on device\n");
}

TEST_F(FaultShim, AFailedWriteHasStoredAPart) {
  run({.calls = "write,fsync,rename,unlink", .at = 2, .kind = "enospc"});
  run({.calls = "unlink", .at = 1, .kind = "kill"}, "posix");
  EXPECT_EQ(std::filesystem::file_size(folder_ + "/final"), 15U);
}

TEST_F(FaultShim, CountsOnlyItsFolder) {
  const std::string other = directory_ / "roo";  // a prefix of the name, not of the path
  std::filesystem::create_directory(other);
  const ProcessResult result = run({.root = other, .calls = kAllCalls, .at = 1});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_TRUE(calls().empty());
}

TEST_F(FaultShim, SeesRelativeAndLinkedPaths) {
  std::filesystem::create_symlink(folder_, directory_ / "link");
  const std::string around = "../" + std::filesystem::path(directory_.path()).filename().string();
  for (const std::string& name : {std::string("root"), std::string("link"), around + "/root"}) {
    std::filesystem::remove(log_);
    const Fault fault{.root = folder_, .calls = kAllCalls, .log = log_};
    run_process({.arguments = {PRESCRIPT_FAULT_VICTIM, name, "posix"},
                 .environment = fault_environment(fault),
                 .directory = directory_.path()});
    EXPECT_EQ(calls().size(), 11U) << name;
    EXPECT_EQ(calls().front(), "open /new") << name;
  }
}

TEST_F(FaultShim, SeesStreams) {
  EXPECT_EQ(run({.at = 1, .kind = "enospc"}, "stream").out, "stream failed\nend\n");
  EXPECT_EQ(run({.calls = "rename", .at = 1, .kind = "eio"}, "stream").out,
            "rename: Input/output error\nend\n");
}

TEST_F(FaultShim, CountsOverAllThreads) {
  const ProcessResult result = run({.calls = "write", .at = 17, .kind = "enospc"}, "threads");
  EXPECT_EQ(result.out, "write failed\nend\n");
  EXPECT_EQ(calls().size(), 40U);
}

TEST_F(FaultShim, RefusesAnUnknownKind) {
  const ProcessResult result = run({.at = 1, .kind = "kil"});
  EXPECT_EQ(result.exit_code, 126);
  EXPECT_EQ(result.err, "fault_shim: FAULT_KIND=kil is unknown\n");
}

}  // namespace
}  // namespace prescript
