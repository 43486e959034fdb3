#include "ops/check.h"

namespace prescript::ops_check {

void embed(Tensor embedding, std::span<const Tensor> prompts, std::span<const Row> rows, Tensor x) {
  shape("embed", x, static_cast<int64_t>(rows.size()), embedding.cols);
  for (const Row& row : rows) {
    if (!row.is_virtual()) {
      index("embed: token", row.index, embedding.rows);
      continue;
    }
    index("embed: soft prompt", row.soft_prompt, static_cast<int64_t>(prompts.size()));
    index("embed: virtual token", row.index, prompts[row.soft_prompt].rows);
    PRESCRIPT_CHECK(prompts[row.soft_prompt].cols == x.cols, "embed: width of a soft prompt");
  }
}

void embed_input_gradient(Tensor dx, std::span<const Row> rows, std::span<const Tensor> gradients) {
  PRESCRIPT_CHECK(dx.rows == static_cast<int64_t>(rows.size()), "embed_input_gradient: rows");
  for (const Row& row : rows) {
    if (!row.is_virtual()) continue;
    index("embed_input_gradient: soft prompt",
          row.soft_prompt,
          static_cast<int64_t>(gradients.size()));
    const Tensor& gradient = gradients[row.soft_prompt];
    index("embed_input_gradient: virtual token", row.index, gradient.rows);
    PRESCRIPT_CHECK(gradient.cols == dx.cols, "embed_input_gradient: width of a soft prompt");
  }
}

void gather_rows(Tensor x, std::span<const int32_t> indices, Tensor y) {
  shape("gather_rows", y, static_cast<int64_t>(indices.size()), x.cols);
  for (const int32_t i : indices) index("gather_rows", i, x.rows);
}

void linear(const char* op, Tensor x, Tensor weight, Tensor y) {
  shape(op, x, x.rows, weight.cols);
  shape(op, y, x.rows, weight.rows);
}

void rms_norm(Tensor x, Tensor weight, Tensor y, Tensor rstd) {
  same_shape("rms_norm", x, y);
  shape("rms_norm", weight, 1, x.cols);
  shape("rms_norm", rstd, 1, x.rows);
}

void rotary(
    Tensor x, int64_t head_size, std::span<const int32_t> positions, Tensor cos, Tensor sin) {
  PRESCRIPT_CHECK(head_size > 0 && head_size % 2 == 0 && x.cols % head_size == 0,
                  "rotary: head size " + std::to_string(head_size) + ", x " + x.describe());
  PRESCRIPT_CHECK(x.rows == static_cast<int64_t>(positions.size()), "rotary: positions");
  shape("rotary", cos, cos.rows, head_size / 2);
  same_shape("rotary", cos, sin);
  for (const int32_t position : positions) index("rotary: position", position, cos.rows);
}

void attention(const AttentionShape& heads,
               std::span<const Part> parts,
               Tensor q,
               std::span<const KeyValues> sources,
               Tensor out,
               Tensor lse) {
  PRESCRIPT_CHECK(heads.num_kv_heads > 0 && heads.num_heads % heads.num_kv_heads == 0,
                  "attention: query heads are not a multiple of kv heads");
  shape("attention: q", q, q.rows, heads.num_heads * heads.head_size);
  same_shape("attention: out", q, out);
  shape("attention: lse", lse, q.rows, heads.num_heads);
  for (const Part& part : parts) {
    index("attention: source", part.source, static_cast<int64_t>(sources.size()));
    const KeyValues& source = sources[part.source];
    shape("attention: k", source.k, source.k.rows, heads.num_kv_heads * heads.head_size);
    same_shape("attention: v", source.k, source.v);
    PRESCRIPT_CHECK(part.query_begin >= 0 && part.num_queries > 0 &&
                        part.query_begin + part.num_queries <= q.rows,
                    "attention: queries of a part");
    PRESCRIPT_CHECK(
        part.key_begin >= 0 && part.num_keys > 0 && part.key_begin + part.num_keys <= source.k.rows,
        "attention: keys of a part");
    PRESCRIPT_CHECK(part.causal_offset >= Part::kNoMask, "attention: causal offset");
  }
}

void swiglu(Tensor gate_up, Tensor h) {
  shape("swiglu", gate_up, h.rows, 2 * h.cols);
}

void cross_entropy(Tensor hidden,
                   Tensor head,
                   std::span<const int32_t> token_ids,
                   std::span<const float> weights,
                   Tensor log_probs,
                   Tensor dhidden) {
  shape("cross_entropy: hidden", hidden, static_cast<int64_t>(token_ids.size()), head.cols);
  shape("cross_entropy: log_probs", log_probs, 1, hidden.rows);
  PRESCRIPT_CHECK(weights.size() == token_ids.size(), "cross_entropy: weights");
  if (dhidden.data != nullptr) same_shape("cross_entropy: dhidden", hidden, dhidden);
  for (const int32_t id : token_ids) index("cross_entropy: token", id, head.rows);
}

}  // namespace prescript::ops_check
