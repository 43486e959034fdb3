// Attention over parts, float32 inside. Grouped query heads are folded into rows, so that K/V are
// never copied per head: for each of K heads, M·G query rows (M rows of the pass, G = H/K heads)
// meet the keys in one product.
//   forward   S = scale·Q·Kᵀ, lse = log Σ exp S, O = exp(S − lse)·V, merged over parts by
//   log-sum-exp backward  P = exp(S − lse), dV += Pᵀ·dO, dS = P∘(dO·Vᵀ − rowsum(dO∘O)), dQ +=
//   scale·dS·K, dK += scale·dSᵀ·Q
// Source: Hydragen, arXiv 2402.05099, section 3; FlashAttention-2, arXiv 2307.08691, section 3.1.

#include "ops/cpu_attention.h"

#include <algorithm>
#include <limits>
#include <vector>

#include <ATen/Parallel.h>
#include <ATen/ops/_to_copy.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/baddbmm.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/logaddexp.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/zeros.h>

#include "ops/check.h"
#include "ops/cpu_rows.h"
#include "ops/cpu_torch.h"

namespace prescript::cpu {
namespace {

// Scores that exist at a time, per part: 8 MB of float32 stay in the last-level cache.
constexpr int64_t kScores = 2 << 20;

/// [M, H, E] -> [K, M·G, E], a float32 copy.
at::Tensor fold(const at::Tensor& x_MHE, int64_t num_kv_heads) {
  const int64_t M = x_MHE.size(0);
  const int64_t G = x_MHE.size(1) / num_kv_heads;
  const int64_t E = x_MHE.size(2);
  return x_MHE.to(at::kFloat)
      .reshape({M, num_kv_heads, G, E})
      .permute({1, 0, 2, 3})
      .reshape({num_kv_heads, M * G, E});
}

/// [K, M·G, E] -> [M, H, E], a view.
at::Tensor unfold(const at::Tensor& x_KME, int64_t num_queries) {
  const int64_t K = x_KME.size(0);
  const int64_t G = x_KME.size(1) / num_queries;
  const int64_t E = x_KME.size(2);
  return x_KME.view({K, num_queries, G, E}).permute({1, 0, 2, 3}).reshape({num_queries, K * G, E});
}

/// Rows [begin, begin + count) of a source as [K, count, E] float32.
at::Tensor keys(const Tensor& x, int64_t begin, int64_t count, int64_t head_size) {
  return wrap_heads(x.row_range(begin, count), head_size)
      .to(at::kFloat)
      .permute({1, 0, 2})
      .contiguous();
}

/// scale·Q·Kᵀ [K, M·G, num_keys], −inf where the mask hides a key.
at::Tensor masked_scores(const at::Tensor& q_KME,
                         const at::Tensor& k_KNE,
                         double scale,
                         int64_t num_queries,
                         int64_t causal_offset) {
  at::Tensor scores = at::bmm(q_KME, k_KNE.transpose(1, 2)).mul_(scale);
  if (causal_offset == Part::kNoMask) return scores;
  const int64_t num_keys = k_KNE.size(1);
  const at::Tensor last_seen = at::arange(causal_offset, causal_offset + num_queries).unsqueeze(1);
  const at::Tensor hidden = at::arange(num_keys).unsqueeze(0).gt(last_seen);  // [M, num_keys]
  scores.view({scores.size(0), num_queries, -1, num_keys})
      .masked_fill_(hidden.view({1, num_queries, 1, num_keys}),
                    -std::numeric_limits<float>::infinity());
  return scores;
}

/// Calls `body(block)` for pieces of `part` whose scores fit, with the keys that no query of them
/// sees cut off.
template <typename Body>
void for_blocks(const Part& part, int64_t num_heads, const Body& body) {
  const int64_t rows = std::clamp<int64_t>(kScores / (num_heads * part.num_keys), 16, 1024);
  for (int64_t begin = 0; begin < part.num_queries; begin += rows) {
    Part block = part;
    block.query_begin = part.query_begin + static_cast<int32_t>(begin);
    block.num_queries = static_cast<int32_t>(std::min<int64_t>(rows, part.num_queries - begin));
    if (part.causal_offset != Part::kNoMask) {
      block.causal_offset = part.causal_offset + static_cast<int32_t>(begin);
      block.num_keys = std::min(part.num_keys, block.causal_offset + block.num_queries);
    }
    body(block);
  }
}

/// Calls `body(part)` for all parts: first those without a mask, in order, each with all threads;
/// then the causal ones, which write to rows of their own node only, node by node over the threads.
/// A row's parts without a mask stand before its causal part, so the order of merging and
/// accumulating is that of `parts`.
template <typename Body>
void for_parts(std::span<const Part> parts, const Body& body) {
  std::vector<std::vector<Part>> causal;  // by node
  for (const Part& part : parts) {
    if (part.causal_offset == Part::kNoMask) {
      body(part);
    } else if (!causal.empty() && causal.back().front().source == part.source &&
               causal.back().front().key_begin == part.key_begin) {
      causal.back().push_back(part);
    } else {
      causal.push_back({part});
    }
  }
  const auto num_nodes = static_cast<int64_t>(causal.size());
  const auto run = [&](int64_t begin, int64_t end) {
    for (int64_t node = begin; node < end; ++node) {
      for (const Part& part : causal[node]) body(part);
    }
  };
  if (num_nodes < 2 * at::get_num_threads()) {
    run(0, num_nodes);
  } else {
    at::parallel_for(0, num_nodes, 1, run);
  }
}

}  // namespace

void attention(const AttentionShape& shape,
               std::span<const Part> parts,
               Tensor q_NHE,
               std::span<const KeyValues> sources,
               Tensor out_NHE,
               Tensor lse_NH) {
  ops_check::attention(shape, parts, q_NHE, sources, out_NHE, lse_NH);
  if (q_NHE.rows == 0) return;
  const c10::InferenceMode guard;
  const int64_t E = shape.head_size;
  const at::Tensor q = wrap_heads(q_NHE, E);
  const at::Tensor lse = wrap(lse_NH).fill_(-std::numeric_limits<float>::infinity());
  const at::Tensor merged = at::zeros({q_NHE.rows, shape.num_heads, E}, at::kFloat);

  for_parts(parts, [&](const Part& part) {
    const c10::InferenceMode part_guard;  // of the thread that runs the part
    const at::Tensor k = keys(sources[part.source].k, part.key_begin, part.num_keys, E);
    const at::Tensor v = keys(sources[part.source].v, part.key_begin, part.num_keys, E);
    for_blocks(part, shape.num_heads, [&](const Part& block) {
      const int64_t M = block.num_queries;
      at::Tensor scores = masked_scores(fold(q.narrow(0, block.query_begin, M), shape.num_kv_heads),
                                        k.narrow(1, 0, block.num_keys),
                                        shape.scale,
                                        M,
                                        block.causal_offset);
      const at::Tensor part_lse = at::logsumexp(scores, 2, /*keepdim=*/true);
      scores.sub_(part_lse).exp_();
      const at::Tensor part_out = unfold(at::bmm(scores, v.narrow(1, 0, block.num_keys)), M);
      const at::Tensor part_lse_MH = unfold(part_lse, M).squeeze(2);

      at::Tensor lse_MH = lse.narrow(0, block.query_begin, M);
      at::Tensor out_MHE = merged.narrow(0, block.query_begin, M);
      const at::Tensor both = at::logaddexp(lse_MH, part_lse_MH);
      out_MHE.mul_((lse_MH - both).exp_().unsqueeze(2));
      out_MHE.addcmul_(part_out, (part_lse_MH - both).exp_().unsqueeze(2));
      lse_MH.copy_(both);
    });
  });
  wrap_heads(out_NHE, E).copy_(merged);
}

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
  zero(dq_NHE);
  if (q_NHE.rows == 0) return;
  const c10::InferenceMode guard;
  const int64_t E = shape.head_size;
  const int64_t K = shape.num_kv_heads;
  const at::Tensor q = wrap_heads(q_NHE, E);
  const at::Tensor dout = wrap_heads(dout_NHE, E);
  const at::Tensor dq = wrap_heads(dq_NHE, E);
  const at::Tensor lse = wrap(lse_NH).unsqueeze(2);
  const at::Tensor projection =
      (dout.to(at::kFloat) * wrap_heads(out_NHE, E)).sum(2, /*keepdim=*/true);  // [N, H, 1]

  for_parts(parts, [&](const Part& part) {
    const c10::InferenceMode part_guard;
    const at::Tensor k = keys(sources[part.source].k, part.key_begin, part.num_keys, E);
    const at::Tensor v = keys(sources[part.source].v, part.key_begin, part.num_keys, E);
    for_blocks(part, shape.num_heads, [&](const Part& block) {
      const int64_t M = block.num_queries;
      const auto rows = [&](const at::Tensor& x) {
        return fold(x.narrow(0, block.query_begin, M), K);
      };
      const at::Tensor block_k = k.narrow(1, 0, block.num_keys);
      const at::Tensor block_v = v.narrow(1, 0, block.num_keys);
      const at::Tensor block_q = rows(q);
      const at::Tensor block_dout = rows(dout);
      at::Tensor p = masked_scores(block_q, block_k, shape.scale, M, block.causal_offset);
      p.sub_(rows(lse)).exp_();
      at::Tensor dscores = at::bmm(block_dout, block_v.transpose(1, 2));
      dscores.sub_(rows(projection)).mul_(p).mul_(shape.scale);
      dq.narrow(0, block.query_begin, M).add_(unfold(at::bmm(dscores, block_k), M));

      const KeyValues& gradient = gradients[part.source];
      if (gradient.k.data == nullptr) return;
      const auto add = [&](const Tensor& sum, const at::Tensor& x_KNE) {
        wrap_heads(sum.row_range(block.key_begin, block.num_keys), E)
            .add_(x_KNE.permute({1, 0, 2}));
      };
      // Over many rows these sums nearly cancel where all of them attend to one key.
      add(gradient.k, at::bmm(dscores.to(at::kDouble).transpose(1, 2), block_q.to(at::kDouble)));
      add(gradient.v, at::bmm(p.to(at::kDouble).transpose(1, 2), block_dout.to(at::kDouble)));
    });
  });
}

}  // namespace prescript::cpu
