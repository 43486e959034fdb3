#include "ops/reference_attention.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/check.h"
#include "ops/reference_formulas.h"

namespace prescript::reference {
namespace {

/// The keys that one query sees, as (source, row), in the order of the parts.
struct SeenKey {
  int32_t source;
  int64_t row;
};

std::vector<std::vector<SeenKey>> seen_keys(std::span<const Part> parts, int64_t num_queries) {
  std::vector<std::vector<SeenKey>> seen(num_queries);
  for (const Part& part : parts) {
    for (int64_t j = 0; j < part.num_queries; ++j) {
      for (int64_t i = 0; i < part.num_keys; ++i) {
        if (part.causal_offset != Part::kNoMask && i > part.causal_offset + j) break;
        if (part.window_offset != Part::kNoWindow && i < part.window_offset + j) continue;
        seen[part.query_begin + j].push_back({part.source, part.key_begin + i});
      }
    }
  }
  return seen;
}

}  // namespace

void attention(const AttentionShape& shape,
               std::span<const Part> parts,
               Tensor q_NHE,
               std::span<const KeyValues> sources,
               Tensor out_NHE,
               Tensor lse_NH) {
  ops_check::attention(shape, parts, q_NHE, sources, out_NHE, lse_NH);
  const auto seen = seen_keys(parts, q_NHE.rows);
  const int64_t E = shape.head_size;
  const int64_t group = shape.num_heads / shape.num_kv_heads;
  for (int64_t n = 0; n < out_NHE.rows; ++n) std::fill_n(row(out_NHE, n), out_NHE.cols, 0.0);
  for (int64_t n = 0; n < q_NHE.rows; ++n) {
    for (int64_t h = 0; h < shape.num_heads; ++h) {
      const int64_t kv = h / group * E;
      std::vector<double> scores;
      for (const SeenKey& key : seen[n]) {
        const double* k = row(sources[key.source].k, key.row) + kv;
        scores.push_back(capped(shape.scale * dot(row(q_NHE, n) + h * E, k, E), shape.cap));
      }
      const double max = *std::max_element(scores.begin(), scores.end());
      double sum = 0;
      for (const double score : scores) sum += std::exp(score - max);
      const double lse = max + std::log(sum);
      row(lse_NH, n)[h] = lse;
      for (size_t i = 0; i < scores.size(); ++i) {
        const SeenKey& key = seen[n][i];
        add_scaled(std::exp(scores[i] - lse),
                   row(sources[key.source].v, key.row) + kv,
                   row(out_NHE, n) + h * E,
                   E);
      }
    }
  }
}

// The parameters are those of Ops. NOLINTNEXTLINE(readability-function-size)
void attention_input_gradient(const AttentionShape& shape,
                              std::span<const Part> parts,
                              Tensor q_NHE,
                              std::span<const KeyValues> sources,
                              Tensor out_NHE,
                              Tensor lse_NH,
                              Tensor dout_NHE,
                              Tensor dq_NHE,
                              std::span<const KeyValues> gradients) {
  ops_check::attention(shape, parts, q_NHE, sources, out_NHE, lse_NH);
  ops_check::attention_input_gradient(q_NHE, sources, dout_NHE, dq_NHE, gradients, DType::kFloat64);
  const auto seen = seen_keys(parts, q_NHE.rows);
  const int64_t E = shape.head_size;
  const int64_t group = shape.num_heads / shape.num_kv_heads;
  for (int64_t n = 0; n < dq_NHE.rows; ++n) std::fill_n(row(dq_NHE, n), dq_NHE.cols, 0.0);
  for (int64_t n = 0; n < q_NHE.rows; ++n) {
    for (int64_t h = 0; h < shape.num_heads; ++h) {
      const int64_t kv = h / group * E;
      const double* q = row(q_NHE, n) + h * E;
      const double* dout = row(dout_NHE, n) + h * E;
      const double projection = dot(dout, row(out_NHE, n) + h * E, E);
      for (const SeenKey& key : seen[n]) {
        const double* k = row(sources[key.source].k, key.row) + kv;
        const double* v = row(sources[key.source].v, key.row) + kv;
        const double score = capped(shape.scale * dot(q, k, E), shape.cap);
        const double p = std::exp(score - row(lse_NH, n)[h]);
        const double dscore =
            shape.scale * slope_at(score, shape.cap) * p * (dot(dout, v, E) - projection);
        add_scaled(dscore, k, row(dq_NHE, n) + h * E, E);
        const KeyValues& gradient = gradients[key.source];
        if (gradient.k.data == nullptr) continue;
        add_scaled(dscore, q, row(gradient.k, key.row) + kv, E);
        add_scaled(p, dout, row(gradient.v, key.row) + kv, E);
      }
    }
  }
}

}  // namespace prescript::reference
