#include "adapter/initialize.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"

namespace prescript {
namespace {

std::vector<int32_t> first_ids(int32_t count) {
  std::vector<int32_t> ids(count);
  std::iota(ids.begin(), ids.end(), 0);
  return ids;
}

/// An embedding of width 2: token i has the row (i, -i).
std::vector<float> diagonal(const std::vector<int32_t>& ids) {
  std::vector<float> rows;
  for (const int32_t id : ids) rows.insert(rows.end(), {float(id), -float(id)});
  return rows;
}

TEST(Initialize, ATextIsRepeatedOrCut) {
  using Ids = std::vector<int32_t>;
  EXPECT_EQ(repeat_to_length(Ids{7, 8, 9}, 3), (Ids{7, 8, 9}));
  EXPECT_EQ(repeat_to_length(Ids{7, 8, 9}, 2), (Ids{7, 8}));
  EXPECT_EQ(repeat_to_length(Ids{7, 8, 9}, 7), (Ids{7, 8, 9, 7, 8, 9, 7}));
  EXPECT_EQ(repeat_to_length(Ids{5}, 4), (Ids{5, 5, 5, 5}));
  EXPECT_THROW(repeat_to_length(Ids{}, 4), ContractError);
}

TEST(Initialize, SamplesAreDistinctKnownAndSeeded) {
  const std::vector<int32_t> ids = {3, 5, 7, 11, 13, 17, 19, 23};
  for (int64_t count = 1; count <= 8; ++count) {
    const auto sample = sample_ids(ids, count, 1);
    EXPECT_EQ(std::ssize(sample), count);
    EXPECT_EQ(std::ssize(std::set(sample.begin(), sample.end())), count);
    for (const int32_t id : sample) EXPECT_EQ(std::ranges::count(ids, id), 1);
  }
  const auto many = first_ids(1000);
  EXPECT_EQ(sample_ids(many, 20, 1), sample_ids(many, 20, 1));
  EXPECT_NE(sample_ids(many, 20, 1), sample_ids(many, 20, 2));
}

TEST(Initialize, EveryIdIsSampledEquallyOften) {
  // 4000 samples of 5 of 20 ids: each id comes 1000 times on average, standard deviation
  // sqrt(4000 * 1/4 * 3/4) = 27.4; 5 of them are exceeded once in 90,000 runs of 20 ids.
  const auto ids = first_ids(20);
  std::vector<int> counts(20);
  std::vector<int> first(20);
  for (uint64_t seed = 0; seed < 4000; ++seed) {
    const auto sample = sample_ids(ids, 5, seed);
    for (const int32_t id : sample) ++counts[id];
    ++first[sample.front()];
  }
  for (const int count : counts) EXPECT_NEAR(count, 1000, 5 * 27.4);
  // The first place: 200 on average, standard deviation sqrt(4000 * 1/20 * 19/20) = 13.8.
  for (const int count : first) EXPECT_NEAR(count, 200, 5 * 13.8);
}

TEST(Initialize, FewIdsAreSampledWithReplacement) {
  const std::vector<int32_t> ids = {4, 6};
  const auto sample = sample_ids(ids, 1000, 1);
  ASSERT_EQ(sample.size(), 1000u);
  EXPECT_NEAR(static_cast<double>(std::ranges::count(sample, 4)), 500, 5 * 15.8);
  EXPECT_EQ(std::ranges::count(sample, 4) + std::ranges::count(sample, 6), 1000);
  EXPECT_THROW(sample_ids({}, 1, 1), ContractError);
}

TEST(Initialize, RowsAreThoseOfTheEmbedding) {
  const SoftPrompt prompt = soft_prompt_of_rows({3, 1, 3}, 2, diagonal);
  EXPECT_EQ(prompt.num_virtual_tokens, 3);
  EXPECT_EQ(prompt.hidden_size, 2);
  EXPECT_EQ(prompt.values_PD, (std::vector<float>{3, -3, 1, -1, 3, -3}));
  EXPECT_THROW(soft_prompt_of_rows({3, 1}, 3, diagonal), ContractError);
}

TEST(Initialize, ALabelIsTheMeanOfItsTokensAndTheRestIsFilled) {
  const std::vector<std::vector<int32_t>> labels = {{4}, {1, 2, 6}};
  const SoftPrompt prompt = soft_prompt_of_labels(labels, {9, 8}, 2, diagonal);
  EXPECT_EQ(prompt.num_virtual_tokens, 4);
  EXPECT_EQ(prompt.hidden_size, 2);
  EXPECT_EQ(prompt.values_PD, (std::vector<float>{4, -4, 3, -3, 9, -9, 8, -8}));
  EXPECT_EQ(soft_prompt_of_labels(labels, {}, 2, diagonal).num_virtual_tokens, 2);
  const std::vector<std::vector<int32_t>> empty = {{}};
  EXPECT_THROW(soft_prompt_of_labels(empty, {9}, 2, diagonal), ContractError);
}

TEST(Initialize, UniformValuesFillTheirInterval) {
  constexpr double scale = 0.5;
  constexpr int64_t num_values = int64_t{200} * 576;
  const SoftPrompt prompt = uniform_soft_prompt(200, 576, scale, 1);
  ASSERT_EQ(std::ssize(prompt.values_PD), num_values);
  double sum = 0;
  double squares = 0;
  std::vector<int> histogram(10);
  for (const float x : prompt.values_PD) {
    ASSERT_GE(x, -scale);
    ASSERT_LT(x, scale);
    sum += x;
    squares += static_cast<double>(x) * x;
    ++histogram[static_cast<size_t>((x + scale) * 10)];
  }
  // Within 5 standard errors of the mean 0, the variance s^2 / 3 and equal counts.
  EXPECT_NEAR(sum / num_values, 0, 5 * scale / std::sqrt(3.0 * num_values));
  EXPECT_NEAR(squares / num_values,
              scale * scale / 3,
              5 * scale * scale * std::sqrt((1.0 / 5 - 1.0 / 9) / num_values));
  for (const int count : histogram)
    EXPECT_NEAR(count, num_values / 10.0, 5 * std::sqrt(num_values * 0.1 * 0.9));
}

TEST(Initialize, UniformIsSeededAndScales) {
  const auto prompt = uniform_soft_prompt(3, 4, 0.5, 1);
  EXPECT_EQ(prompt.values_PD, uniform_soft_prompt(3, 4, 0.5, 1).values_PD);
  EXPECT_NE(prompt.values_PD, uniform_soft_prompt(3, 4, 0.5, 2).values_PD);
  const auto doubled = uniform_soft_prompt(3, 4, 1.0, 1);
  for (size_t i = 0; i < 12; ++i) EXPECT_EQ(doubled.values_PD[i], 2 * prompt.values_PD[i]);
}

TEST(Initialize, ScaleGivesRowsTheNormOfTheVocabulary) {
  // By hand: rows (3, -3) and (4, -4) have squared norms 18 and 32, mean 25: s = sqrt(3 * 25 / 2).
  EXPECT_DOUBLE_EQ(scale_of_vocabulary({3, 4}, 2, diagonal), std::sqrt(37.5));
  EXPECT_THROW(scale_of_vocabulary({}, 2, diagonal), ContractError);

  // And in effect: seeded normal rows against the uniform rows that they lead to.
  constexpr int64_t width = 64;
  const auto normal_rows = [](const std::vector<int32_t>& ids) {
    std::vector<float> rows;
    for (const int32_t id : ids) {
      RandomStream stream(1, "test rows", static_cast<uint64_t>(id));
      for (int64_t i = 0; i < width; ++i)
        rows.push_back(static_cast<float>(0.07 * stream.normal()));
    }
    return rows;
  };
  const double scale = scale_of_vocabulary(first_ids(3000), width, normal_rows);
  EXPECT_NEAR(scale, 0.07 * std::sqrt(3.0), 0.001);
  const SoftPrompt prompt = uniform_soft_prompt(3000, width, scale, 1);
  double squares = 0;
  for (const float x : prompt.values_PD) squares += static_cast<double>(x) * x;
  EXPECT_NEAR(std::sqrt(squares / 3000), 0.07 * std::sqrt(double{width}), 0.01);
}

}  // namespace
}  // namespace prescript
