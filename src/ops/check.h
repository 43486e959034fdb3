#pragma once
// The requirements of Ops, checked alike by every backend.

#include <string>

#include "ops/ops.h"

namespace prescript::ops_check {

inline void same_shape(const char* op, const Tensor& a, const Tensor& b) {
  PRESCRIPT_CHECK(a.rows == b.rows && a.cols == b.cols,
                  std::string(op) + ": " + a.describe() + " and " + b.describe());
}

inline void shape(const char* op, const Tensor& x, int64_t rows, int64_t cols) {
  PRESCRIPT_CHECK(x.rows == rows && x.cols == cols,
                  std::string(op) + ": " + x.describe() + " is not [" + std::to_string(rows) +
                      ", " + std::to_string(cols) + "]");
}

inline void dtype(const char* op, const Tensor& x, DType expected) {
  PRESCRIPT_CHECK(x.dtype == expected,
                  std::string(op) + ": " + x.describe() + " is not " + name_of(expected));
}

/// The accumulate dtype of the backend whose activations are of `compute`.
inline DType sums_of(DType compute) {
  return compute == DType::kFloat64 ? DType::kFloat64 : DType::kFloat32;
}

inline void index(const char* op, int64_t index, int64_t size) {
  PRESCRIPT_CHECK(
      index >= 0 && index < size,
      std::string(op) + ": index " + std::to_string(index) + " of " + std::to_string(size));
}

void embed(Weight embedding, std::span<const Tensor> prompts, std::span<const Row> rows, Tensor x);
void embed_input_gradient(Tensor dx, std::span<const Row> rows, std::span<const Tensor> gradients);
void gather_rows(Tensor x, std::span<const int32_t> indices, Tensor y);
void scatter_add_rows(Tensor x, std::span<const int32_t> indices, Tensor y);
void linear(const char* op, Tensor x, Weight weight, Tensor y);
void add_row(Tensor row, Tensor y);
void rms_norm(Tensor x, Tensor weight, Tensor y, Tensor rstd);
void rms_norm_input_gradient(Tensor x, Tensor weight, Tensor rstd, Tensor dy, Tensor dx);
void layer_norm(Tensor x, Tensor weight, Tensor y, Tensor statistics);
void layer_norm_input_gradient(Tensor x, Tensor weight, Tensor statistics, Tensor dy, Tensor dx);
void rotary(Tensor x,
            int64_t head_size,
            std::span<const int32_t> positions,
            Tensor cos,
            Tensor sin,
            DType table_dtype);
void attention(const AttentionShape& shape,
               std::span<const Part> parts,
               Tensor q,
               std::span<const KeyValues> sources,
               Tensor out,
               Tensor lse);
/// What `attention` does not check of its input gradient.
void attention_input_gradient(Tensor q,
                              std::span<const KeyValues> sources,
                              Tensor dout,
                              Tensor dq,
                              std::span<const KeyValues> gradients,
                              DType kv_gradient_dtype);
void activate(Tensor x, Tensor h);
void activate_input_gradient(Tensor x, Tensor dh, Tensor dx);
void cross_entropy(Tensor hidden,
                   const Weight& head,
                   std::span<const int32_t> token_ids,
                   std::span<const float> weights,
                   Tensor log_probs,
                   Tensor dhidden);
void logits(Tensor hidden, const Weight& head, Tensor logits);

}  // namespace prescript::ops_check
