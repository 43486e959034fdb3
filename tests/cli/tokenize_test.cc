#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/program.h"
#include "support/temporary_directory.h"
#include "support/tiny_model.h"

namespace prescript {
namespace {

using testing::HasSubstr;

class TokenizeCommand : public testing::Test {
 protected:
  TokenizeCommand() { write_tiny_model(directory_ / "tiny"); }

  ProcessResult tokenize(const std::string& text, std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {
        "tokenize", "--model", directory_ / "tiny", "--input", directory_.write("text", text)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_prescript(arguments);
  }

  TemporaryDirectory directory_;
};

TEST_F(TokenizeCommand, LinesEndAtNewlineAloneAndNothingIsTrimmed) {
  const auto result = tokenize(" a \n\nb\r\nc", {"--json"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "[32,97,32]\n[]\n[98,13]\n[99]\n");
}

TEST_F(TokenizeCommand, SpecialTokensAreText) {
  EXPECT_EQ(tokenize("<|im_end|>", {"--json"}).out, "[60,124,105,109,95,101,110,100,124,62]\n");
}

TEST_F(TokenizeCommand, AnEmptyFileHasNoLines) {
  const auto result = tokenize("");
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, "");
}

TEST_F(TokenizeCommand, TextThatIsNotUtf8IsNamedByLine) {
  const auto result = tokenize("fine\nbad \xff\n");
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, HasSubstr("text:2"));
}

TEST_F(TokenizeCommand, AMissingInputIsExitThreeAMissingModelExitFour) {
  EXPECT_EQ(
      run_prescript({"tokenize", "--model", directory_ / "tiny", "--input", directory_ / "none"})
          .exit_code,
      3);
  EXPECT_EQ(
      run_prescript(
          {"tokenize", "--model", directory_ / "none", "--input", directory_ / "tiny/config.json"})
          .exit_code,
      4);
}

}  // namespace
}  // namespace prescript
