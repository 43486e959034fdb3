// What a person sees on a terminal, and what a pipe gets.

#include "cli/terminal.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <unistd.h>

namespace prescript {
namespace {

/// Puts a terminal in the place of stderr.
class TerminalOnStderr {
 public:
  explicit TerminalOnStderr(uint16_t columns) : saved_(::dup(STDERR_FILENO)) {
    int slave = -1;
    const winsize size{.ws_row = 10, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
    if (::openpty(&master_, &slave, nullptr, nullptr, &size) != 0) ADD_FAILURE() << "no terminal";
    ::dup2(slave, STDERR_FILENO);
    ::close(slave);
  }
  ~TerminalOnStderr() {
    ::dup2(saved_, STDERR_FILENO);
    ::close(saved_);
    ::close(master_);
  }
  TerminalOnStderr(const TerminalOnStderr&) = delete;
  TerminalOnStderr& operator=(const TerminalOnStderr&) = delete;

  /// What has been written since the last call.
  std::string text() const {
    char bytes[4096];
    const ssize_t count = ::read(master_, bytes, sizeof bytes);
    return {bytes, static_cast<size_t>(std::max<ssize_t>(count, 0))};
  }

 private:
  int saved_;
  int master_ = -1;
};

void wait_until_it_is_rewritten() {
  std::this_thread::sleep_for(std::chrono::milliseconds(150));
}

TEST(Progress, OnAWideTerminalIsOneLineThatIsRewritten) {
  const TerminalOnStderr terminal(200);
  Progress progress("steps", 4);
  wait_until_it_is_rewritten();
  progress.show(1, "loss 2.5, 3 rows");
  EXPECT_THAT(terminal.text(),
              testing::MatchesRegex("\r\033.J1 of 4 steps, loss 2.5, 3 rows, .* left"));
  progress.end();
  EXPECT_EQ(terminal.text(), "\r\033[J");
}

TEST(Progress, TellsTheTimeThatIsLeftByTheShareOfTheWorkWhereThereIsOne) {
  const TerminalOnStderr terminal(200);
  Progress progress("answers", 4, 2, 0.1);
  wait_until_it_is_rewritten();
  progress.show(3, "quiz", 0.1);
  EXPECT_EQ(terminal.text(), "\r\033[J3 of 4 answers, quiz") << "there is nothing to tell it by";
  wait_until_it_is_rewritten();
  progress.show(3, "quiz", 0.9);
  EXPECT_THAT(terminal.text(), testing::MatchesRegex("\r\033.J3 of 4 answers, quiz, 0:.* left"));
}

TEST(Progress, OnANarrowTerminalIsBrokenBehindCommasAndTakenAwayAsAWhole) {
  const TerminalOnStderr terminal(20);
  Progress progress("steps", 4);
  wait_until_it_is_rewritten();
  progress.show(4, "loss 2.5, 3 rows, 11 of a peak");
  EXPECT_EQ(terminal.text(), "\r\033[J4 of 4 steps,\r\nloss 2.5, 3 rows,\r\n11 of a peak");
  wait_until_it_is_rewritten();
  progress.show(4);
  EXPECT_EQ(terminal.text(), "\033[2A\r\033[J4 of 4 steps");
  progress.end();
  EXPECT_EQ(terminal.text(), "\r\033[J");
}

TEST(Progress, TheLastColumnStaysFree) {
  for (const uint16_t columns : {22, 23}) {
    const TerminalOnStderr terminal(columns);
    Progress progress("steps", 4);
    wait_until_it_is_rewritten();
    progress.show(4, "loss 2.5");
    const std::string separator = columns == 22 ? ",\r\n" : ", ";
    EXPECT_EQ(terminal.text(), "\r\033[J4 of 4 steps" + separator + "loss 2.5");
  }
}

}  // namespace
}  // namespace prescript
