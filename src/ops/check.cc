#include "ops/check.h"

#include <vector>

namespace prescript {

std::unique_ptr<Upload> Ops::start_upload(BytePieces /*pieces*/, void* /*to*/) {
  throw ContractError(std::string(name()) + " holds no blocks");
}

void Ops::decode_blocks(uint32_t /*type*/,
                        const void* /*blocks*/,
                        Weight /*weight*/,
                        int64_t /*begin*/,
                        int64_t /*count*/) {
  throw ContractError(std::string(name()) + " holds no blocks");
}

}  // namespace prescript

namespace prescript::ops_check {
namespace {

void rows_at(const char* op, Tensor x, std::span<const int32_t> indices, Tensor picked) {
  shape(op, picked, static_cast<int64_t>(indices.size()), x.cols);
  for (const int32_t i : indices) index(op, i, x.rows);
}

void same_dtype(const char* op, const Weight& weight, const Tensor& x) {
  PRESCRIPT_CHECK(weight.dtype == x.dtype,
                  std::string(op) + ": " + weight.describe() + " and " + x.describe());
}

void product_shapes(const char* op, Tensor x, Weight weight, Tensor y) {
  shape(op, x, x.rows, weight.cols);
  shape(op, y, x.rows, weight.rows);
  same_dtype(op, weight, x);
}

}  // namespace

void embed(Weight embedding, std::span<const Tensor> prompts, std::span<const Row> rows, Tensor x) {
  shape("embed", x, static_cast<int64_t>(rows.size()), embedding.cols);
  same_dtype("embed", embedding, x);
  for (const Row& row : rows) {
    if (!row.is_virtual()) {
      index("embed: token", row.index, embedding.rows);
      continue;
    }
    index("embed: soft prompt", row.soft_prompt, static_cast<int64_t>(prompts.size()));
    const Tensor& prompt = prompts[row.soft_prompt];
    index("embed: virtual token", row.index, prompt.rows);
    PRESCRIPT_CHECK(prompt.cols == x.cols, "embed: width of a soft prompt");
    dtype("embed: soft prompt", prompt, sums_of(x.dtype));
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
    dtype("embed_input_gradient", gradient, sums_of(dx.dtype));
  }
}

void gather_rows(Tensor x, std::span<const int32_t> indices, Tensor y) {
  rows_at("gather_rows", x, indices, y);
  dtype("gather_rows", y, x.dtype);
}

void scatter_add_rows(Tensor x, std::span<const int32_t> indices, Tensor y) {
  rows_at("scatter_add_rows", y, indices, x);
  if (y.dtype != x.dtype) dtype("scatter_add_rows", y, sums_of(x.dtype));
}

void linear(const char* op, Tensor x, Weight weight, Tensor y) {
  product_shapes(op, x, weight, y);
  dtype(op, y, x.dtype);
}

void add_row(Tensor row, Tensor y) {
  shape("add_row: row", row, 1, y.cols);
  dtype("add_row: row", row, sums_of(y.dtype));
}

void rms_norm(Tensor x, Tensor weight, Tensor y, Tensor rstd) {
  same_shape("rms_norm", x, y);
  PRESCRIPT_CHECK(weight.cols > 0 && x.cols % weight.cols == 0,
                  "rms_norm: weight " + weight.describe() + ", x " + x.describe());
  shape("rms_norm: weight", weight, 1, weight.cols);
  shape("rms_norm: rstd", rstd, 1, x.rows * (x.cols / weight.cols));
  dtype("rms_norm", y, x.dtype);
  dtype("rms_norm: weight", weight, sums_of(x.dtype));
  dtype("rms_norm: rstd", rstd, sums_of(x.dtype));
}

void rms_norm_input_gradient(Tensor x, Tensor weight, Tensor rstd, Tensor dy, Tensor dx) {
  rms_norm(x, weight, dx, rstd);
  same_shape("rms_norm_input_gradient: dy", x, dy);
  if (dy.dtype != x.dtype) dtype("rms_norm_input_gradient: dy", dy, sums_of(x.dtype));
}

void layer_norm(Tensor x, Tensor weight, Tensor y, Tensor statistics) {
  same_shape("layer_norm", x, y);
  shape("layer_norm: weight", weight, 1, x.cols);
  shape("layer_norm: statistics", statistics, 2, x.rows);
  dtype("layer_norm", y, x.dtype);
  dtype("layer_norm: weight", weight, sums_of(x.dtype));
  dtype("layer_norm: statistics", statistics, sums_of(x.dtype));
}

void layer_norm_input_gradient(Tensor x, Tensor weight, Tensor statistics, Tensor dy, Tensor dx) {
  layer_norm(x, weight, dx, statistics);
  same_shape("layer_norm_input_gradient: dy", x, dy);
  if (dy.dtype != x.dtype) dtype("layer_norm_input_gradient: dy", dy, sums_of(x.dtype));
}

void rotary(Tensor x,
            int64_t head_size,
            std::span<const int32_t> positions,
            Tensor cos,
            Tensor sin,
            DType table_dtype) {
  PRESCRIPT_CHECK(head_size > 0 && x.cols % head_size == 0,
                  "rotary: head size " + std::to_string(head_size) + ", x " + x.describe());
  PRESCRIPT_CHECK(cos.cols > 0 && 2 * cos.cols <= head_size, "rotary: cos " + cos.describe());
  PRESCRIPT_CHECK(x.rows == static_cast<int64_t>(positions.size()), "rotary: positions");
  same_shape("rotary: tables", cos, sin);
  dtype("rotary: cos", cos, table_dtype);
  dtype("rotary: sin", sin, table_dtype);
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
  PRESCRIPT_CHECK(heads.scale > 0, "attention: scale");
  shape("attention: q", q, q.rows, heads.num_heads * heads.head_size);
  same_shape("attention: out", q, out);
  shape("attention: lse", lse, q.rows, heads.num_heads);
  dtype("attention: out", out, q.dtype);
  dtype("attention: lse", lse, sums_of(q.dtype));
  std::vector<bool> sees_a_key(q.rows);
  for (const Part& part : parts) {
    index("attention: source", part.source, static_cast<int64_t>(sources.size()));
    const KeyValues& source = sources[part.source];
    shape("attention: k", source.k, source.k.rows, heads.num_kv_heads * heads.head_size);
    same_shape("attention: v", source.k, source.v);
    dtype("attention: k", source.k, q.dtype);
    dtype("attention: v", source.v, q.dtype);
    PRESCRIPT_CHECK(part.query_begin >= 0 && part.num_queries > 0 &&
                        part.query_begin + part.num_queries <= q.rows,
                    "attention: queries of a part");
    PRESCRIPT_CHECK(
        part.key_begin >= 0 && part.num_keys > 0 && part.key_begin + part.num_keys <= source.k.rows,
        "attention: keys of a part");
    PRESCRIPT_CHECK(part.causal_offset >= Part::kNoMask, "attention: causal offset");
    for (int32_t j = 0; j < part.num_queries; ++j) {
      if (part.window_offset != Part::kNoWindow && part.window_offset + j >= part.num_keys) break;
      sees_a_key[part.query_begin + j] = true;
    }
  }
  for (int64_t n = 0; n < q.rows; ++n) {
    PRESCRIPT_CHECK(sees_a_key[n], "attention: query row " + std::to_string(n) + " sees no key");
  }
}

void attention_input_gradient(Tensor q,
                              std::span<const KeyValues> sources,
                              Tensor dout,
                              Tensor dq,
                              std::span<const KeyValues> gradients,
                              DType kv_gradient_dtype) {
  same_shape("attention_input_gradient: dout", q, dout);
  same_shape("attention_input_gradient: dq", q, dq);
  dtype("attention_input_gradient: dout", dout, q.dtype);
  dtype("attention_input_gradient: dq", dq, sums_of(q.dtype));
  PRESCRIPT_CHECK(gradients.size() == sources.size(), "attention_input_gradient: gradients");
  for (size_t s = 0; s < sources.size(); ++s) {
    if (gradients[s].k.data == nullptr) continue;
    for (const Tensor& gradient : {gradients[s].k, gradients[s].v}) {
      same_shape("attention_input_gradient: K/V", sources[s].k, gradient);
      dtype("attention_input_gradient: K/V", gradient, kv_gradient_dtype);
    }
  }
}

void activate(Tensor x, Tensor h) {
  shape("activate", x, h.rows, x.cols == h.cols ? h.cols : 2 * h.cols);
  dtype("activate", h, x.dtype);
}

void activate_input_gradient(Tensor x, Tensor dh, Tensor dx) {
  activate(x, dh);
  same_shape("activate_input_gradient", x, dx);
  dtype("activate_input_gradient", dx, x.dtype);
}

void cross_entropy(Tensor hidden,
                   const Weight& head,
                   std::span<const int32_t> token_ids,
                   std::span<const float> weights,
                   Tensor log_probs,
                   Tensor dhidden) {
  shape("cross_entropy: hidden", hidden, static_cast<int64_t>(token_ids.size()), head.cols);
  shape("cross_entropy: log_probs", log_probs, 1, hidden.rows);
  same_dtype("cross_entropy", head, hidden);
  dtype("cross_entropy: log_probs", log_probs, sums_of(hidden.dtype));
  PRESCRIPT_CHECK(weights.size() == token_ids.size(), "cross_entropy: weights");
  if (dhidden.data != nullptr) {
    same_shape("cross_entropy: dhidden", hidden, dhidden);
    dtype("cross_entropy: dhidden", dhidden, hidden.dtype);
  }
  for (const int32_t id : token_ids) index("cross_entropy: token", id, head.rows);
}

void logits(Tensor hidden, const Weight& head, Tensor logits) {
  product_shapes("logits", hidden, head, logits);
  dtype("logits", logits, sums_of(hidden.dtype));
}

}  // namespace prescript::ops_check
