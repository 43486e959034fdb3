#include "train/run_state.h"

#include <bit>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/seal.h"
#include "io/safetensors.h"
#include "support/expect_error.h"
#include "support/temporary_directory.h"

namespace prescript {
namespace {

/// A state in which every field differs from its default, with numbers that text formats spoil.
Checkpoint full_checkpoint() {
  Checkpoint checkpoint;
  checkpoint.identity = {{"a key", "a \"value\"\n"}, {"optimizer.learning_rate", "0.003"}};
  RunState& state = checkpoint.state;
  state.step = 12;
  state.evaluated_step = 10;
  state.loss_without_prompt = 2.5800000000000001;
  CandidateState& candidate = state.candidates.emplace_back();
  candidate.prompt = {2, 3, {1.0F / 3, -0.0F, 1e-45F, 3.4e38F, 0.1F, -7}};
  candidate.optimizer.first_moment = {0.1F, 0.2F, 0.3F, -0.0F, 1e-40F, 5};
  candidate.optimizer.second_moment = {1, 2, 3, 4, 5, 1e-30F};
  candidate.optimizer.num_steps = 12;
  candidate.loss_at_start = 0.1 + 0.2;
  candidate.last_loss = 1.0 / 3;
  candidate.best_loss = std::numeric_limits<double>::denorm_min();
  candidate.best_step = 8;
  candidate.best_prompt_PD = {6, 5, 4, 3, 2, 1.0F / 7};
  candidate.evaluations_since_best = 2;
  candidate.watch = {
      .num_losses = 11, .first_sum = 0.1 + 0.7, .last_sum = 1e-300, .has_warned_of_norm = true};
  state.metrics_bytes = uint64_t{1} << 40;
  state.events_bytes = 4321;
  return checkpoint;
}

void expect_same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(std::bit_cast<uint32_t>(a[i]), std::bit_cast<uint32_t>(b[i])) << i;
  }
}

void expect_same(const CandidateState& a, const CandidateState& b) {
  EXPECT_EQ(b.prompt.num_virtual_tokens, a.prompt.num_virtual_tokens);
  EXPECT_EQ(b.prompt.hidden_size, a.prompt.hidden_size);
  expect_same_bits(b.prompt.values_PD, a.prompt.values_PD);
  expect_same_bits(b.optimizer.first_moment, a.optimizer.first_moment);
  expect_same_bits(b.optimizer.second_moment, a.optimizer.second_moment);
  expect_same_bits(b.optimizer.row_moment, a.optimizer.row_moment);
  expect_same_bits(b.optimizer.column_moment, a.optimizer.column_moment);
  EXPECT_EQ(b.optimizer.num_steps, a.optimizer.num_steps);
  EXPECT_EQ(b.loss_at_start, a.loss_at_start);
  EXPECT_EQ(b.last_loss, a.last_loss);
  EXPECT_EQ(b.best_loss, a.best_loss);
  EXPECT_EQ(b.best_step, a.best_step);
  expect_same_bits(b.best_prompt_PD, a.best_prompt_PD);
  EXPECT_EQ(b.evaluations_since_best, a.evaluations_since_best);
  EXPECT_EQ(b.failed_step, a.failed_step);
  EXPECT_EQ(b.watch.num_losses, a.watch.num_losses);
  EXPECT_EQ(b.watch.first_sum, a.watch.first_sum);
  EXPECT_EQ(b.watch.last_sum, a.watch.last_sum);
  EXPECT_EQ(b.watch.has_warned_of_norm, a.watch.has_warned_of_norm);
}

class RunStateFile : public testing::Test {
 protected:
  Checkpoint read(const std::string& bytes) const {
    return read_checkpoint(directory_.write("checkpoint", bytes));
  }

  TemporaryDirectory directory_;
};

TEST_F(RunStateFile, RoundTripsBitForBit) {
  const Checkpoint before = full_checkpoint();
  const Checkpoint after = read(checkpoint_bytes(before));
  EXPECT_EQ(after.identity, before.identity);
  const RunState& a = before.state;
  const RunState& b = after.state;
  EXPECT_EQ(b.step, a.step);
  EXPECT_EQ(b.evaluated_step, a.evaluated_step);
  EXPECT_EQ(b.loss_without_prompt, a.loss_without_prompt);
  ASSERT_EQ(b.candidates.size(), 1U);
  expect_same(a.candidates[0], b.candidates[0]);
  EXPECT_EQ(b.metrics_bytes, a.metrics_bytes);
  EXPECT_EQ(b.events_bytes, a.events_bytes);
  EXPECT_EQ(checkpoint_bytes(after), checkpoint_bytes(before));
}

TEST_F(RunStateFile, SeveralCandidatesRoundTrip) {
  Checkpoint before = full_checkpoint();
  CandidateState fresh;
  fresh.prompt = {2, 3, {1, 2, 3, 4, 5, 6}};
  CandidateState failed = before.state.candidates[0];
  failed.prompt.values_PD[0] = 9;
  failed.failed_step = 7;
  before.state.candidates.push_back(fresh);
  before.state.candidates.push_back(failed);
  const Checkpoint after = read(checkpoint_bytes(before));
  ASSERT_EQ(after.state.candidates.size(), 3U);
  for (size_t i = 0; i < 3; ++i) expect_same(before.state.candidates[i], after.state.candidates[i]);
  EXPECT_EQ(checkpoint_bytes(after), checkpoint_bytes(before));
}

TEST_F(RunStateFile, AdafactorsMomentsRoundTripInTheirShapes) {
  Checkpoint before = full_checkpoint();
  before.state.candidates[0].optimizer = {
      .row_moment = {1.0F / 3, 1e-40F}, .column_moment = {1, -0.0F, 1e-30F}, .num_steps = 4};
  const std::string bytes = checkpoint_bytes(before);
  expect_same(before.state.candidates[0], read(bytes).state.candidates.at(0));
  const auto file = SafetensorsFile::open(directory_.write("checkpoint", bytes));
  ASSERT_NE(file->find("row_moment"), nullptr);
  ASSERT_NE(file->find("column_moment"), nullptr);
  EXPECT_EQ(file->find("row_moment")->shape, (std::vector<int64_t>{2}));
  EXPECT_EQ(file->find("column_moment")->shape, (std::vector<int64_t>{3}));
  EXPECT_EQ(file->find("first_moment"), nullptr);
}

TEST_F(RunStateFile, ACheckpointFromBeforeRunsWereWatchedIsReadAsOneThatSawNothing) {
  Checkpoint before = full_checkpoint();
  std::string bytes = checkpoint_bytes(before);
  const size_t begin = bytes.find(R"(,\"watch\":{)");
  ASSERT_NE(begin, std::string::npos);
  const size_t length = bytes.find('}', begin) + 1 - begin;
  bytes.replace(begin, length, std::string(length, ' '));
  bytes.replace(bytes.find("\"digest\":\"") + 10, kNoDigest.size(), kNoDigest);
  before.state.candidates[0].watch = {};
  expect_same(before.state.candidates[0], read(sealed(bytes)).state.candidates.at(0));
}

TEST_F(RunStateFile, ARunWithoutASearchHasNothingOfOneInItsFile) {
  const std::string bytes = checkpoint_bytes(full_checkpoint());
  const auto file = SafetensorsFile::open(directory_.write("checkpoint", bytes));
  std::vector<std::string> names;
  for (const SafetensorsTensor& tensor : file->tensors()) names.push_back(tensor.name);
  EXPECT_THAT(
      names,
      testing::UnorderedElementsAre("prompt", "first_moment", "second_moment", "best_prompt"));
  EXPECT_EQ(bytes.find("candidates"), std::string::npos);
  EXPECT_EQ(bytes.find("failed_step"), std::string::npos);
}

TEST(RunState, TheBestCandidateIsTheFirstOfTheLeastLossThatHasNotFailed) {
  RunState state;
  state.candidates.resize(5);
  EXPECT_EQ(best_candidate(state), 0U);
  state.candidates[1].best_loss = 2;
  EXPECT_EQ(best_candidate(state), 1U);
  state.candidates[2].best_loss = 1;
  state.candidates[3].best_loss = 1;
  EXPECT_EQ(best_candidate(state), 2U);
  state.candidates[2].failed_step = 3;
  EXPECT_EQ(best_candidate(state), 3U);
}

TEST_F(RunStateFile, AStateBeforeTheFirstStepRoundTrips) {
  Checkpoint before;
  before.state.candidates = {{.prompt = {1, 2, {3, 4}}}};
  const RunState after = read(checkpoint_bytes(before)).state;
  EXPECT_EQ(after.step, 0);
  EXPECT_EQ(after.evaluated_step, -1);
  EXPECT_FALSE(after.loss_without_prompt);
  ASSERT_EQ(after.candidates.size(), 1U);
  expect_same(before.state.candidates[0], after.candidates[0]);
}

TEST_F(RunStateFile, EveryFlippedBitIsRefused) {
  const std::string bytes = checkpoint_bytes(full_checkpoint());
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    EXPECT_THROW(read(flipped), InputError) << "bit " << bit % 8 << " of byte " << bit / 8;
  }
}

TEST_F(RunStateFile, EveryCutAndEveryAddedByteIsRefused) {
  const std::string bytes = checkpoint_bytes(full_checkpoint());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THROW(read(bytes.substr(0, size)), InputError) << size;
  }
  expect_input_error(ExitCode::kUsage, "damaged", [&] { read(bytes + '\0'); });
}

TEST_F(RunStateFile, AnotherVersionIsNamed) {
  std::string bytes = checkpoint_bytes(full_checkpoint());
  const size_t version = bytes.find("checkpoint 1");
  ASSERT_NE(version, std::string::npos);
  bytes.replace(version, 12, "checkpoint 2");
  const size_t digest = bytes.find("\"digest\":\"") + 10;
  bytes.replace(digest, kNoDigest.size(), kNoDigest);
  expect_input_error(ExitCode::kUsage,
                     "another version of prescript (prescript checkpoint 2)",
                     [&] { read(sealed(bytes)); });
}

TEST_F(RunStateFile, WhatIsNoCheckpointIsRefused) {
  const std::vector<float> values = {1, 2};
  const std::vector<SafetensorsTensor> tensors = {
      {"prompt", "F32", {1, 2}, std::as_bytes(std::span(values))}};
  expect_input_error(ExitCode::kUsage, "not a checkpoint", [&] {
    read(sealed(safetensors_file_bytes(tensors, {{"digest", std::string(kNoDigest)}})));
  });
  expect_input_error(
      ExitCode::kUsage, "not a checkpoint", [&] { read(safetensors_file_bytes(tensors)); });
  expect_input_error(ExitCode::kUsage, "none", [&] { read_checkpoint(directory_ / "none"); });
}

}  // namespace
}  // namespace prescript
