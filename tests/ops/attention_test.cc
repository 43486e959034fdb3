// Attention over parts against plain attention under a mask, on every backend.

#include "forest/random_sequences.h"
#include "ops/ops_test.h"
#include "support/plain_ops.h"

namespace prescript {
namespace {

/// The parts of a pass and the number of rows of each source.
struct PartSet {
  std::vector<Part> parts;
  std::vector<int64_t> source_rows;
  int64_t num_queries = 0;
};

/// Queries behind keys: `num_queries` rows that see `num_before` kept rows and, causally,
/// themselves.
PartSet one_run(int32_t num_queries, int32_t num_before) {
  PartSet set{.parts = {}, .source_rows = {num_queries, num_before}, .num_queries = num_queries};
  if (num_before > 0) {
    set.parts.push_back({.num_queries = num_queries, .source = 1, .num_keys = num_before});
  }
  set.parts.push_back({.num_queries = num_queries, .num_keys = num_queries, .causal_offset = 0});
  return set;
}

/// `num_leaves` runs of `leaf_rows` rows that see kept rows, a run of `root_rows` rows in front of
/// them, and causally themselves.
PartSet leaves_below_a_root(int32_t root_rows, int32_t leaf_rows, int32_t num_leaves) {
  constexpr int32_t kKept = 21;
  const int32_t num_rows = root_rows + leaf_rows * num_leaves;
  PartSet set{.parts = {}, .source_rows = {num_rows, kKept}, .num_queries = num_rows};
  set.parts.push_back({.num_queries = num_rows, .source = 1, .num_keys = kKept});
  set.parts.push_back(
      {.query_begin = root_rows, .num_queries = leaf_rows * num_leaves, .num_keys = root_rows});
  set.parts.push_back({.num_queries = root_rows, .num_keys = root_rows, .causal_offset = 0});
  for (int32_t begin = root_rows; begin < num_rows; begin += leaf_rows) {
    set.parts.push_back({.query_begin = begin,
                         .num_queries = leaf_rows,
                         .key_begin = begin,
                         .num_keys = leaf_rows,
                         .causal_offset = 0});
  }
  return set;
}

/// Every pass of a random forest, and of its last layer.
std::vector<PartSet> random_part_sets(uint64_t index) {
  const Forest forest = build_forest(random_sequences(index), {}, {.min_saved_rows = 1});
  const Schedule schedule = make_schedule(forest, index % 2 == 0 ? 1000 : 15);
  std::vector<PartSet> sets;
  for (const Pass& pass : schedule.passes) {
    std::vector<int64_t> source_rows = {pass.num_rows()};
    for (const KeptRun& run : schedule.kept_runs) source_rows.push_back(run.num_rows);
    sets.push_back({pass.parts, source_rows, pass.num_rows()});
    sets.push_back({pass.output_parts, source_rows, pass.num_output_rows()});
  }
  return sets;
}

class AttentionTest : public OpsTest {
 protected:
  void expect_attention(const AttentionShape& shape, const PartSet& set, int64_t guard) {
    bench().clear();
    const int64_t HE = shape.num_heads * shape.head_size;
    const int64_t KE = shape.num_kv_heads * shape.head_size;
    int64_t num_keys = 0;  // of all sources, one behind the other
    std::vector<int64_t> begin;
    for (const int64_t rows : set.source_rows) {
      begin.push_back(num_keys);
      num_keys += rows;
    }
    Matrix is_seen(set.num_queries, num_keys);
    for (const Part& part : set.parts) {
      for (int32_t j = 0; j < part.num_queries; ++j) {
        for (int32_t i = 0; i < part.num_keys; ++i) {
          if (part.causal_offset != Part::kNoMask && i > part.causal_offset + j) continue;
          if (part.window_offset != Part::kNoWindow && i < part.window_offset + j) continue;
          is_seen.at(part.query_begin + j, begin[part.source] + part.key_begin + i) = 1;
        }
      }
    }
    const Matrix q = random_matrix(set.num_queries, HE, "q");
    const Matrix k = random_matrix(num_keys, KE, "k");
    const Matrix v = random_matrix(num_keys, KE, "v");
    const Matrix dout = random_matrix(set.num_queries, HE, "dout");
    const Matrix before = random_matrix(num_keys, KE, "before");
    const auto plain = once_per_dtype(
        [&](DType type) { return plain::attention(type, shape, q, k, v, is_seen, dout); });

    std::vector<KeyValues> sources;
    std::vector<KeyValues> gradients;
    for (size_t s = 0; s < set.source_rows.size(); ++s) {
      const auto rows = [&](const Matrix& x) { return x.row_range(begin[s], set.source_rows[s]); };
      sources.push_back({put(rows(k), guard), put(rows(v), guard)});
      gradients.push_back({put_gradient(rows(before), guard), put_gradient(rows(before), guard)});
    }
    // Given K/V are constants.
    if (gradients.size() > 2) gradients[2] = {};
    const Tensor q_NHE = put(q, guard);
    const Tensor out_NHE = bench().take(set.num_queries, HE, dtype(), guard);
    const Tensor lse_NH = bench().take(set.num_queries, shape.num_heads, sums(), guard);
    const Tensor dq_NHE = bench().take(set.num_queries, HE, sums(), guard);
    ops().attention(shape, set.parts, q_NHE, sources, out_NHE, lse_NH);
    ops().attention_input_gradient(
        shape, set.parts, q_NHE, sources, out_NHE, lse_NH, put(dout, guard), dq_NHE, gradients);

    expect_close(out_NHE, [&](DType type) { return plain(type).out; });
    expect_close(lse_NH, [&](DType) { return plain::log_sum_exp(shape, q, k, is_seen); });
    expect_close(dq_NHE, [&](DType type) { return plain(type).gradients[0]; });
    for (size_t s = 0; s < sources.size(); ++s) {
      if (gradients[s].k.data == nullptr) continue;
      const auto sum_of_rows = [&](Matrix gradient) {
        for (size_t i = 0; i < gradient.values.size(); ++i) gradient.values[i] += before.values[i];
        return gradient.row_range(begin[s], set.source_rows[s]);
      };
      expect_close(gradients[s].k,
                   [&](DType type) { return sum_of_rows(plain(type).gradients[1]); });
      expect_close(gradients[s].v,
                   [&](DType type) { return sum_of_rows(plain(type).gradients[2]); });
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Every,
                         AttentionTest,
                         testing::ValuesIn(attention_backends()),
                         testing::PrintToStringParamName());

TEST_P(AttentionTest, OverThePartsOfRandomForestsEqualsAttentionUnderAMask) {
  for (uint64_t index = 0; index < 16; ++index) {
    SCOPED_TRACE(index);
    const AttentionShape shape = index % 3 == 0   ? AttentionShape{6, 2, 8, 0.35}
                                 : index % 3 == 1 ? AttentionShape{3, 3, 16, 0.25}
                                                  : AttentionShape{4, 1, 10, 0.3};
    for (const PartSet& set : random_part_sets(index)) {
      expect_attention(shape, set, kGuards[index % 2]);
    }
  }
}

TEST_P(AttentionTest, HoldsWhereScoresAreCapped) {
  for (const auto& [queries, before] : {std::pair{40, 70}, {1, 40}, {9, 0}}) {
    expect_attention({6, 2, 8, 0.35, 0.5}, one_run(queries, before), 3);
    expect_attention({6, 2, 8, 3, 20}, one_run(queries, before), 0);
  }
}

TEST_P(AttentionTest, HoldsInAWindow) {
  // A run that slides over itself, behind keys of which the window leaves some to some.
  for (const int32_t window : {2, 5, 37, 60, 71}) {
    SCOPED_TRACE(window);
    PartSet set = one_run(40, 30);
    set.parts[0].window_offset = 31 - window;
    set.parts[1].window_offset = 1 - window;
    expect_attention({4, 2, 8, 0.35}, set, 3);
    set = one_run(1, 30);
    set.parts[0].window_offset = 31 - window;
    expect_attention({4, 2, 8, 0.35}, set, 3);
  }
  // Over segments of keys that no row of a block sees.
  PartSet set = one_run(1100, 0);
  set.parts[0].window_offset = -45;
  expect_attention({2, 1, 8, 0.35}, set, 0);
}

TEST_P(AttentionTest, HoldsAtEveryEdge) {
  for (const int64_t rows : kEdgeRows) {
    if (rows == 0) continue;
    expect_attention({4, 2, 8, 0.35}, one_run(static_cast<int32_t>(rows), 0), 3);
    expect_attention({4, 2, 8, 0.35}, one_run(static_cast<int32_t>(rows), 1), 0);
    expect_attention({4, 2, 8, 0.35}, one_run(5, static_cast<int32_t>(rows)), 0);
  }
}

TEST_P(AttentionTest, HoldsWhereScoresDoNotFitInOnePiece) {
  expect_attention({2, 1, 8, 0.35}, one_run(1100, 30), 0);
}

TEST_P(AttentionTest, HoldsForOneQueryOverManyKeys) {
  expect_attention({6, 2, 16, 0.25}, one_run(1, 600), 0);
  expect_attention({6, 2, 10, 0.3}, one_run(1, 33), 3);
}

// Head sizes for which there are kernels of matrix instructions, on rows that are aligned to them.

TEST_P(AttentionTest, HoldsForHeadsOfEverySize) {
  expect_attention({8, 1, 64, 0.125}, one_run(40, 70), 8);
  expect_attention({3, 3, 80, 0.11}, one_run(70, 9), 0);
  expect_attention({4, 1, 96, 0.1}, one_run(33, 0), 8);
  expect_attention({6, 2, 128, 0.09}, one_run(65, 64), 0);
  expect_attention({4, 2, 256, 0.0625}, one_run(35, 40), 8);
  expect_attention({4, 2, 72, 0.12}, one_run(20, 9), 8);  // of no such kernel
}

TEST_P(AttentionTest, HoldsForWideHeadsOfALargeTree) {
  expect_attention({4, 1, 64, 0.125}, leaves_below_a_root(40, 7, 9), 0);
  expect_attention({2, 2, 80, 0.11}, leaves_below_a_root(11, 30, 3), 8);
  expect_attention({3, 1, 128, 0.09}, leaves_below_a_root(70, 5, 14), 8);
  expect_attention({2, 1, 256, 0.0625}, leaves_below_a_root(10, 3, 11), 0);
}

TEST_P(AttentionTest, HoldsForWideHeadsInAWindow) {
  for (const int32_t window : {5, 70}) {
    PartSet set = one_run(90, 75);
    set.parts[0].window_offset = 76 - window;
    set.parts[1].window_offset = 1 - window;
    expect_attention({4, 2, 64, 0.125}, set, 0);
    expect_attention({1, 1, 96, 0.1}, set, 8);
    expect_attention({1, 1, 128, 0.09}, set, 0);
  }
}

TEST_P(AttentionTest, HoldsForWideHeadsWhereScoresAreCapped) {
  expect_attention({4, 1, 64, 0.125, 0.5}, one_run(33, 20), 0);
  expect_attention({3, 1, 128, 0.5, 20}, leaves_below_a_root(30, 5, 3), 8);
  expect_attention({2, 1, 256, 0.3, 50}, one_run(33, 5), 0);
}

TEST_P(AttentionTest, HoldsForFewRowsOfWideHeadsOverManyKeys) {
  expect_attention({8, 1, 64, 0.125}, one_run(1, 300), 0);
  expect_attention({3, 1, 80, 0.11}, one_run(7, 150), 8);
  expect_attention({2, 2, 96, 0.1}, one_run(16, 260), 0);
  expect_attention({4, 1, 128, 0.09}, leaves_below_a_root(3, 1, 9), 0);
  expect_attention({4, 2, 128, 0.09}, one_run(1, 700), 0);
  expect_attention({1, 1, 256, 0.0625}, one_run(2, 270), 8);
}

TEST_P(AttentionTest, AChunkSeesItsOwnRunFromAnOffsetOn) {
  // Rows 20 to 29 of a run whose first 20 rows stand before it in the same source.
  PartSet set{.parts = {}, .source_rows = {1, 30}, .num_queries = 10};
  set.parts.push_back({.num_queries = 10, .source = 1, .num_keys = 30, .causal_offset = 20});
  expect_attention({4, 2, 8, 0.35}, set, 0);
}

TEST_P(AttentionTest, OfNoRowsAddsNothing) {
  const AttentionShape shape{4, 2, 8, 0.35};
  const Matrix before = random_matrix(5, 16, "before");
  const KeyValues source{put(before, 0), put(before, 0)};
  const KeyValues gradient{put_gradient(before), put_gradient(before)};
  const Tensor none = bench().take(0, 32, dtype());
  const Tensor lse = bench().take(0, 4, sums());
  ops().attention(shape, {}, none, std::vector{source}, none, lse);
  ops().attention_input_gradient(shape,
                                 {},
                                 none,
                                 std::vector{source},
                                 none,
                                 lse,
                                 none,
                                 bench().take(0, 32, sums()),
                                 std::vector{gradient});
  EXPECT_EQ(bench().get(gradient.k).values, before.values);
}

TEST_P(AttentionTest, ExtremeScoresPickOneKeyExactly) {
  // Scores between -10^4 and 2·10^4, exact in every dtype. Query 0 finds its key in the tall part,
  // query 1 in the causal one, query 2 two equal ones there.
  const AttentionShape shape{1, 1, 2, 1};
  const auto vectors = [](std::initializer_list<std::pair<double, double>> rows) {
    Matrix x(0, 2);
    for (const auto& [a, b] : rows) {
      ++x.rows;
      x.values.insert(x.values.end(), {a, b});
    }
    return x;
  };
  const Matrix q = vectors({{100, 0}, {0, 100}, {-100, -100}});
  const Matrix tall_k = vectors({{100, 0}, {-100, 0}});
  const Matrix own_k = vectors({{-100, -100}, {0, 100}, {-100, -100}});
  const Matrix v = random_matrix(3, 2, "v");
  const std::vector<KeyValues> sources = {{put(own_k, 0), put(v, 0)},
                                          {put(tall_k, 0), put(v.row_range(0, 2), 0)}};
  const std::vector<KeyValues> gradients = {
      {put_gradient(Matrix(3, 2)), put_gradient(Matrix(3, 2))},
      {put_gradient(Matrix(2, 2)), put_gradient(Matrix(2, 2))}};
  const Tensor out = bench().take(3, 2, dtype());
  const Tensor lse = bench().take(3, 1, sums());
  const Tensor dq = bench().take(3, 2, sums());
  const std::vector<Part> parts = {{.num_queries = 3, .source = 1, .num_keys = 2},
                                   {.num_queries = 3, .num_keys = 3, .causal_offset = 0}};
  ops().attention(shape, parts, put(q, 0), sources, out, lse);
  ops().attention_input_gradient(
      shape, parts, put(q, 0), sources, out, lse, put(Matrix(3, 2, 1), 0), dq, gradients);
  const Matrix found = bench().get(out);
  for (int64_t e = 0; e < 2; ++e) {
    EXPECT_EQ(found.at(0, e), v.at(0, e));
    EXPECT_EQ(found.at(1, e), v.at(1, e));
    EXPECT_NEAR(found.at(2, e), (v.at(0, e) + v.at(2, e)) / 2, 0.01);
  }
  EXPECT_EQ(bench().get(lse).at(0, 0), 10000);
  EXPECT_EQ(bench().get(lse).at(1, 0), 10000);
  EXPECT_NEAR(bench().get(lse).at(2, 0), 20000 + std::log(2), 0.002);
  for (int64_t e = 0; e < 2; ++e) {
    EXPECT_EQ(bench().get(dq).at(0, e), 0);
    EXPECT_EQ(bench().get(dq).at(1, e), 0);
  }
  EXPECT_EQ(bench().get(gradients[1].v).values, (std::vector<double>{1, 1, 0, 0}));
}

TEST_P(AttentionTest, SameInputsGiveTheSameBits) {
  const AttentionShape shape{4, 2, 8, 0.35};
  const PartSet set = random_part_sets(2).front();
  const Matrix q = random_matrix(set.num_queries, 32, "q");
  const Matrix k = random_matrix(set.num_queries, 16, "k");
  std::vector<Matrix> found;
  for (int i = 0; i < 2; ++i) {
    const std::vector<KeyValues> sources = {{put(k, 0), put(k, 0)}};
    const Matrix zero(set.num_queries, 16);
    const std::vector<KeyValues> gradients = {{put_gradient(zero), put_gradient(zero)}};
    const Tensor out = bench().take(set.num_queries, 32, dtype());
    const Tensor lse = bench().take(set.num_queries, 4, sums());
    const Tensor dq = bench().take(set.num_queries, 32, sums());
    ops().attention(shape, set.parts, put(q, 0), sources, out, lse);
    ops().attention_input_gradient(
        shape, set.parts, put(q, 0), sources, out, lse, put(q, 0), dq, gradients);
    for (const Tensor& x : {out, lse, dq, gradients[0].k, gradients[0].v}) {
      found.push_back(bench().get(x));
    }
  }
  for (size_t i = 0; i < 5; ++i) EXPECT_EQ(found[i].values, found[i + 5].values);
}

TEST_P(AttentionTest, WhatIsNotANumberReachesTheQueriesThatSeeIt) {
  const AttentionShape shape{2, 1, 8, 0.35};
  const Tensor q = put(random_matrix(20, 16, "q"), 0);
  const Tensor v = put(random_matrix(20, 8, "v"), 0);
  const std::vector<Part> parts = {
      {.num_queries = 20, .num_keys = 20, .causal_offset = 0},
  };
  Matrix keys = random_matrix(20, 8, "k");
  keys.at(17, 3) = NAN;
  const KeyValues kv{put(keys, 0), v};
  const Tensor out = bench().take(20, 16, dtype());
  const Tensor lse = bench().take(20, 2, sums());
  ops().attention(shape, parts, q, std::span(&kv, 1), out, lse);
  const Matrix found = bench().get(out);
  for (int64_t n = 0; n < 20; ++n) {
    EXPECT_EQ(std::isnan(found.at(n, 9)), n >= 17) << "row " << n;
  }
}

}  // namespace
}  // namespace prescript
