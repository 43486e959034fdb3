#include "train/training_data.h"

#include <algorithm>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/hash.h"
#include "support/expect_error.h"
#include "support/temporary_directory.h"
#include "support/tiny_model.h"

namespace prescript {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::string line(const std::string& id, const std::string& question, const std::string& more = "") {
  return R"({"id": ")" + id + R"(", "question": ")" + question + R"(", "answer": "Yes.")" + more +
         "}\n";
}

std::vector<std::string> ids_of(const std::vector<TrainingExemplar>& exemplars) {
  std::vector<std::string> ids;
  for (const TrainingExemplar& exemplar : exemplars) ids.push_back(exemplar.id);
  return ids;
}

std::vector<std::string> ids_of(const std::vector<Exemplar>& exemplars) {
  std::vector<std::string> ids;
  for (const Exemplar& exemplar : exemplars) ids.push_back(exemplar.id);
  return ids;
}

class TrainingDataFiles : public testing::Test {
 protected:
  TrainingDataFiles() {
    write_tiny_model(directory_ / "tiny", {.max_positions = kMaxPositions});
    base_ = open_base_model(directory_ / "tiny");
  }

  TrainingData load(TrainingDataOptions options = {}) const {
    options.train_path = directory_.write("train.jsonl", train_);
    return load_training_data(base_, options);
  }

  static constexpr int64_t kMaxPositions = 400;

  TemporaryDirectory directory_;
  BaseModelFiles base_;
  std::string train_ =
      line("a", "Red?") + line("b", "Blue?") + line("c", "Green?") + line("d", "Grey?");
};

TEST_F(TrainingDataFiles, ExemplarsKeepTheOrderOfTheFileAndAreRenderedAsTheRendererDoes) {
  const TrainingData data = load();
  EXPECT_THAT(ids_of(data.train), ElementsAre("a", "b", "c", "d"));
  EXPECT_THAT(data.validation, IsEmpty());
  const Renderer renderer(base_.tokenizer, base_.chat_template, base_.path, {});
  const auto exemplars = read_exemplars(directory_ / "train.jsonl", true);
  for (size_t i = 0; i < exemplars.size(); ++i) {
    const RenderedExemplar expected = renderer.training(exemplars[i]);
    EXPECT_EQ(data.train[i].rendered.ids, expected.ids);
    EXPECT_EQ(data.train[i].rendered.targets, expected.targets);
  }
  EXPECT_THAT(data.end_tokens, ElementsAre(kTinyTurnEnds));
}

TEST_F(TrainingDataFiles, TheHeadStartIsWhatAllExemplarsHaveInCommonBeforeTheSoftPrompt) {
  const auto text_of = [&](PromptPosition position, const std::string& validation) {
    const TrainingData data = load({.validation_path = directory_.write("v.jsonl", validation),
                                    .format = PromptFormat::kPlain,
                                    .instruction = "Be kind.",
                                    .num_virtual_tokens = 2,
                                    .position = position});
    std::string text;
    for (const Row& row : data.head_start) {
      EXPECT_FALSE(row.is_virtual());
      text += static_cast<char>(row.index);
    }
    return text;
  };
  // Both begin like "Red?": what is common ends where the soft prompt stands, all the same.
  train_ = line("a", "Red?") + line("b", "Red eye?");
  EXPECT_EQ(text_of(PromptPosition::kBeforeQuestion, line("v", "Red ear?")), "Be kind.\n\n");
  EXPECT_EQ(text_of(PromptPosition::kStart, line("v", "Red ear?")), "");
}

TEST_F(TrainingDataFiles, HashesAreThoseOfFilesAndTemplate) {
  const std::string validation = directory_.write("validation.jsonl", line("v", "White?"));
  const TrainingData data = load({.validation_path = validation});
  EXPECT_EQ(data.train_hash, sha256_hex(std::string_view(train_)));
  EXPECT_EQ(data.validation_hash, sha256_hex(std::string_view(line("v", "White?"))));
  EXPECT_THAT(ids_of(data.validation), ElementsAre("v"));
  EXPECT_EQ(data.template_hash, sha256_hex(std::string_view(base_.chat_template->text)));
  EXPECT_EQ(load({.format = PromptFormat::kPlain}).template_hash, "");
  EXPECT_EQ(load().validation_hash, "");
}

TEST_F(TrainingDataFiles, FewShotExemplarsLeaveTheTrainingSetAndAreTheSameEveryTime) {
  std::set<std::vector<std::string>> draws;
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    const TrainingData data = load({.few_shot = 2, .seed = seed});
    const auto drawn = ids_of(data.hard_prompt.few_shot);
    auto all = ids_of(data.train);
    EXPECT_EQ(drawn.size(), 2U);
    EXPECT_TRUE(std::is_sorted(drawn.begin(), drawn.end()));
    EXPECT_TRUE(std::is_sorted(all.begin(), all.end()));
    all.insert(all.end(), drawn.begin(), drawn.end());
    std::sort(all.begin(), all.end());
    EXPECT_THAT(all, ElementsAre("a", "b", "c", "d"));
    EXPECT_EQ(ids_of(load({.few_shot = 2, .seed = seed}).hard_prompt.few_shot), drawn);
    draws.insert(drawn);
  }
  EXPECT_GT(draws.size(), 2U) << "the seed has no effect";
}

TEST_F(TrainingDataFiles, FewShotExemplarsStandInTheTextOfTheOthers) {
  const TrainingData data = load({.few_shot = 1});
  const std::string& question = data.hard_prompt.few_shot.at(0).question;
  for (const TrainingExemplar& exemplar : data.train) {
    EXPECT_THAT(exemplar.rendered.text, HasSubstr("Question: " + question + "\nAnswer: Yes."));
  }
}

TEST_F(TrainingDataFiles, ADrawThatLeavesNothingIsRefused) {
  for (const int64_t few_shot : {4, 5}) {
    expect_input_error(ExitCode::kData, "data.few_shot", [&] { load({.few_shot = few_shot}); });
  }
  EXPECT_EQ(load({.few_shot = 3}).train.size(), 1U);
}

// A byte is a token: the longest question that fits can be counted.
TEST_F(TrainingDataFiles, AnExemplarThatIsTooLongIsNamedAndNotShown) {
  const auto rows = static_cast<int64_t>(load().train[0].rendered.ids.size());
  const auto longest = static_cast<size_t>(kMaxPositions - rows) + std::string("Red?").size();
  for (const int64_t P : {0, 20}) {
    const TrainingDataOptions options{.num_virtual_tokens = P};
    const std::string fits(longest - static_cast<size_t>(P), 'q');
    train_ = line("a", "Red?") + line("long", fits);
    EXPECT_EQ(load(options).train.size(), 2U);
    train_ = line("a", "Red?") + line("long", fits + "q");
    try {
      load(options);
      ADD_FAILURE() << "it fits";
    } catch (const InputError& error) {
      EXPECT_EQ(error.code(), ExitCode::kData);
      EXPECT_THAT(error.what(), HasSubstr("train.jsonl:2"));
      EXPECT_THAT(error.what(), HasSubstr("exemplar \"long\" takes 401 tokens"));
      EXPECT_THAT(error.what(), Not(HasSubstr("qqq")));
    }
  }
  train_ = line("a", "Red?");
  const std::string validation =
      directory_.write("validation.jsonl", line("v", std::string(500, 'q')));
  expect_input_error(
      ExitCode::kData, "validation.jsonl:1", [&] { load({.validation_path = validation}); });
}

TEST_F(TrainingDataFiles, CountsWhatHasNoRationaleAndNamesWhatNothingReads) {
  train_ = line("a", "Red?", R"(, "rationale": "So.", "zeal": 1)") + line("b", "Blue?");
  const std::string validation =
      directory_.write("validation.jsonl", line("v", "White?", R"(, "author": "x", "zeal": 2)"));
  const TrainingData data = load({.validation_path = validation, .rationale = true});
  EXPECT_EQ(data.without_rationale, 2);
  EXPECT_THAT(data.unused_fields, ElementsAre("author", "zeal"));
  EXPECT_EQ(load({.rationale = false}).without_rationale, 0);
}

TEST_F(TrainingDataFiles, OnlyWhatReviewsHaveAcceptedIsTrainedOn) {
  const std::string accepted = R"(, "review": {"status": "accepted"})";
  const std::string written = R"(, "review": {"status": "written"})";
  const std::string rejected = R"(, "review": {"status": "rejected"})";
  train_ = line("a", "Red?", accepted) + line("b", "Blue?", written) + line("c", "White?") +
           line("d", "Green?", rejected);
  const std::string validation = directory_.write(
      "validation.jsonl", line("v", "Black?", accepted) + line("w", "Grey?", written));
  const TrainingData data = load({.validation_path = validation});
  ASSERT_EQ(data.train.size(), 2U);
  EXPECT_EQ(data.train[0].id, "a");
  EXPECT_EQ(data.train[1].id, "c");
  EXPECT_EQ(data.validation.size(), 1U);
  EXPECT_EQ(data.not_accepted, 3);
  train_ = line("b", "Blue?", written);
  expect_input_error(ExitCode::kData, "no exemplar is left", [&] { load({}); });
}

TEST_F(TrainingDataFiles, AnExemplarWithoutAnAnswerIsRefused) {
  train_ = line("a", "Red?") + R"({"id": "b", "question": "Blue?"})";
  expect_input_error(ExitCode::kData, "train.jsonl:2", [&] { load(); });
}

TEST_F(TrainingDataFiles, AfterBosIsRefusedWhereTheTextHasNone) {
  expect_input_error(ExitCode::kModel, "after_bos", [&] {
    load({.num_virtual_tokens = 3, .position = PromptPosition::kAfterBos});
  });
}

}  // namespace
}  // namespace prescript
