// Attention over causal rows and over a prefix forest.

#include <cmath>

#include "card_bench.h"

namespace prescript::bench {
namespace {

struct AttentionCase {
  std::string name;
  int64_t shared = 0;  // rows that all leaves see
  int64_t leaves = 0;
  int64_t leaf_rows = 0;
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t head_size = 0;
  DType dtype = DType::kBFloat16;

  int64_t num_rows() const { return shared + leaves * leaf_rows; }
  /// Query-key pairs.
  double pairs() const {
    const auto causal = [](int64_t rows) { return static_cast<double>(rows * (rows + 1) / 2); };
    return causal(shared) + static_cast<double>(shared * leaves * leaf_rows) +
           static_cast<double>(leaves) * causal(leaf_rows);
  }
  double flops_per_product() const { return 2 * static_cast<double>(heads * head_size) * pairs(); }
  std::string shape() const {
    std::string text = std::to_string(shared) + " rows";
    if (leaves > 0) {
      text += ", " + std::to_string(leaves) + " leaves of " + std::to_string(leaf_rows);
    }
    return text + ", H " + std::to_string(heads) + ", K " + std::to_string(kv_heads) + ", E " +
           std::to_string(head_size) + (dtype == DType::kFloat32 ? ", fp32" : "");
  }
};

Part part(int64_t query, int64_t queries, int64_t key, int64_t keys, bool is_causal) {
  Part result;
  result.query_begin = static_cast<int32_t>(query);
  result.num_queries = static_cast<int32_t>(queries);
  result.key_begin = static_cast<int32_t>(key);
  result.num_keys = static_cast<int32_t>(keys);
  result.causal_offset = is_causal ? 0 : Part::kNoMask;
  result.key_position = static_cast<int32_t>(key);
  return result;
}

/// As a pass has them: the leaves against what they share, what they share, each leaf.
std::vector<Part> parts_of(const AttentionCase& c) {
  std::vector<Part> parts;
  if (c.leaves > 0) parts.push_back(part(c.shared, c.leaves * c.leaf_rows, 0, c.shared, false));
  parts.push_back(part(0, c.shared, 0, c.shared, true));
  for (int64_t leaf = 0; leaf < c.leaves; ++leaf) {
    const int64_t begin = c.shared + leaf * c.leaf_rows;
    parts.push_back(part(begin, c.leaf_rows, begin, c.leaf_rows, true));
  }
  return parts;
}

void measure(CardBench& bench, const AttentionCase& c) {
  const int64_t N = c.num_rows();
  const DType dtype = c.dtype;
  const AttentionShape shape{
      c.heads, c.kv_heads, c.head_size, 1 / std::sqrt(static_cast<double>(c.head_size))};
  const std::vector<Part> parts = parts_of(c);
  const Tensor q = bench.tensor(N, c.heads * c.head_size, dtype);
  const KeyValues kv{bench.tensor(N, c.kv_heads * c.head_size, dtype),
                     bench.tensor(N, c.kv_heads * c.head_size, dtype)};
  const Tensor out = bench.tensor(N, c.heads * c.head_size, dtype);
  const Tensor lse = bench.tensor(N, c.heads, DType::kFloat32);
  bench.measure(
      {.group = "attention",
       .name = c.name + ", forward",
       .shape = c.shape(),
       .flops = 2 * c.flops_per_product()},
      [&](size_t) { bench.ops().attention(shape, parts, q, std::span(&kv, 1), out, lse); });
  const Tensor dout = bench.tensor(N, c.heads * c.head_size, dtype);
  const Tensor dq = bench.tensor(N, c.heads * c.head_size, DType::kFloat32);
  const DType wide = bench.ops().kv_gradient_dtype();
  const KeyValues gradient{bench.tensor(N, c.kv_heads * c.head_size, wide),
                           bench.tensor(N, c.kv_heads * c.head_size, wide)};
  bench.measure(
      {.group = "attention",
       .name = c.name + ", backward",
       .shape = c.shape(),
       .flops = 5 * c.flops_per_product()},
      [&](size_t) {
        bench.ops().attention_input_gradient(
            shape, parts, q, std::span(&kv, 1), out, lse, dout, dq, std::span(&gradient, 1));
      });
  bench.forget();
}

/// A token of each of several requests: against what they share, and each against its own rows.
void measure_generation(CardBench& bench) {
  const Extents& e = bench.extents();
  const int64_t N = e.leaves;
  const int64_t own = e.leaf_rows;
  const int64_t KE = e.kv_heads * e.head_size;
  const DType dtype = DType::kBFloat16;
  std::vector<Part> parts{part(0, N, 0, e.shared_rows, false)};
  for (int64_t n = 0; n < N; ++n) parts.push_back(part(n, 1, e.shared_rows + n * own, own, false));
  const int64_t num_keys = e.shared_rows + N * own;
  const Tensor q = bench.tensor(N, e.heads * e.head_size, dtype);
  const KeyValues kv{bench.tensor(num_keys, KE, dtype), bench.tensor(num_keys, KE, dtype)};
  const Tensor out = bench.tensor(N, e.heads * e.head_size, dtype);
  const Tensor lse = bench.tensor(N, e.heads, DType::kFloat32);
  const AttentionShape shape{
      e.heads, e.kv_heads, e.head_size, 1 / std::sqrt(static_cast<double>(e.head_size))};
  const double pairs = static_cast<double>(N * (e.shared_rows + own));
  bench.measure(
      {.group = "attention",
       .name = "generation",
       .shape = std::to_string(N) + " requests, " + std::to_string(e.shared_rows) +
                " rows shared, " + std::to_string(own) + " of each, H " + std::to_string(e.heads) +
                ", K " + std::to_string(e.kv_heads) + ", E " + std::to_string(e.head_size),
       .bytes = 4 * static_cast<double>(num_keys * KE + N * e.heads * e.head_size),
       .flops = 4 * static_cast<double>(e.heads * e.head_size) * pairs},
      [&](size_t) { bench.ops().attention(shape, parts, q, std::span(&kv, 1), out, lse); });
  bench.forget();
}

}  // namespace

void measure_attention(CardBench& bench) {
  const Extents& e = bench.extents();
  const AttentionCase causal{"causal", e.causal_rows, 0, 0, e.heads, e.kv_heads, e.head_size};
  AttentionCase forest = causal;
  forest.name = "forest";
  forest.shared = e.shared_rows;
  forest.leaves = e.leaves;
  forest.leaf_rows = e.leaf_rows;
  AttentionCase short_rows = causal;
  short_rows.shared /= 4;
  AttentionCase long_rows = causal;
  long_rows.shared *= 2;
  AttentionCase no_groups = causal;
  no_groups.kv_heads = no_groups.heads;
  AttentionCase small_heads = causal;
  small_heads.head_size /= 2;
  AttentionCase large_heads = causal;
  large_heads.head_size *= 2;
  large_heads.heads /= 2;
  large_heads.kv_heads /= 2;
  AttentionCase plain = short_rows;
  plain.dtype = DType::kFloat32;
  for (const AttentionCase& c :
       {causal, forest, short_rows, long_rows, no_groups, small_heads, large_heads, plain}) {
    measure(bench, c);
  }
  measure_generation(bench);
}

}  // namespace prescript::bench
