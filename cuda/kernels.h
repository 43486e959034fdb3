#pragma once
// The seam between the cuda backend and its kernels: every launcher, in data-flow order, forward
// then input gradient. No CUDA header is needed to include it.
//
// A launcher puts work on `stream` and returns; it allocates nothing and waits for nothing. Tensors
// and every other pointer are device memory, strided views included; what a launcher requires of
// shapes is checked by its caller (ops/check.h). Elements are float32 or bfloat16, sums float32 in
// a fixed order: same inputs, same bits. Letters as in ops/ops.h.

#include <cstdint>

#include "base/tensor.h"
#include "cuda/attention_work.h"

struct CUstream_st;

namespace prescript::cuda {

using Stream = CUstream_st*;

// --- memory ---

void zero(Tensor x, Stream stream);

/// y = x, converted between float32 and bfloat16 if need be.
void copy(Tensor x, Tensor y, Stream stream);

/// *differs = 1 where x and y, of one shape and dtype, differ in a bit; else it stays.
void find_difference(Tensor x, Tensor y, int32_t* differs, Stream stream);

/// Fills x with numbers of N(0, deviation²), a function of `seed` and the element's index alone:
/// random weights for measurements.
void fill_normal(Tensor x, uint64_t seed, float deviation, Stream stream);

/// y = the numbers of a matrix in blocks of GGUF type `type` (io/gguf.h's numbering), row after row
/// of y.cols numbers; blocks as they lie in the file.
void dequantize(uint32_t type, const void* blocks, Tensor y, Stream stream);

// --- rows ---

/// Where embed takes a row from: a soft prompt's row (float32), or a token's where that is null.
struct EmbeddedRow {
  const float* virtual_row = nullptr;
  int64_t token_id = 0;
};

/// x[n] = scale · embedding_VD[token], the factor and the product rounded to x's dtype, or the
/// virtual row, rounded.
void embed(Tensor embedding_VD, float scale, const EmbeddedRow* rows, Tensor x_ND, Stream stream);

/// y[i] = x[indices[i]]; with `add`, y[i] += it.
void gather_rows(Tensor x_ND, const int32_t* indices, Tensor y, bool add, Stream stream);

/// A destination row and what is added to it: rows order[begin], ..., order[begin + count - 1] of
/// the source, in this order.
struct RowSum {
  void* destination = nullptr;
  int32_t begin = 0;
  int32_t count = 0;
};

/// Adds rows of x to each destination, which is of dtype `to`, in float32 and rounded once: the
/// gradient of gathered rows and of soft prompts.
void add_rows(
    Tensor x, const RowSum* sums, int64_t num_sums, const int32_t* order, DType to, Stream stream);

/// Adds row_D (float32) to every row of y: a bias.
void add_row(Tensor row_D, Tensor y_ND, Stream stream);

// --- norms: as Ops has them; weights, biases and statistics are float32 ---

void rms_norm(Tensor x_ND,
              Tensor weight_D,
              float epsilon,
              Tensor y_ND,
              Tensor rstd_N,
              bool add,
              Stream stream);
/// dy may be float32 while x and dx are bfloat16. Adds to dx.
void rms_norm_input_gradient(
    Tensor x_ND, Tensor weight_D, Tensor rstd_N, Tensor dy_ND, Tensor dx_ND, Stream stream);
void layer_norm(Tensor x_ND,
                Tensor weight_D,
                Tensor bias_D,
                float epsilon,
                Tensor y_ND,
                Tensor statistics_2N,
                Stream stream);
void layer_norm_input_gradient(
    Tensor x_ND, Tensor weight_D, Tensor statistics_2N, Tensor dy_ND, Tensor dx_ND, Stream stream);

// --- attention ---

/// In place; x may be float32 or bfloat16, the tables are float32.
void rotary(Tensor x,
            int64_t head_size,
            const int32_t* positions,
            Tensor cos,
            Tensor sin,
            bool inverse,
            Stream stream);

/// Forward and input gradient over the tiles that ops/cuda_attention.cc cuts parts into.
void attention(
    const AttentionWork& work, Tensor q_NHE, Tensor out_NHE, Tensor lse_NH, Stream stream);
/// `projection_NH`: room for rowsum(dout ∘ out), float32. dq is float32 and written, K/V gradients
/// (float32) are added to.
void attention_input_gradient(const AttentionWork& work,
                              Tensor q_NHE,
                              Tensor out_NHE,
                              Tensor lse_NH,
                              Tensor dout_NHE,
                              Tensor projection_NH,
                              Tensor dq_NHE,
                              Stream stream);

// --- feed-forward and head ---

/// As ops/ops.h's Activation.
enum class ActivationFunction { kSilu, kGelu, kGeluTanh };

void activate(ActivationFunction f, Tensor x, Tensor h_NF, Stream stream);
/// dx may be x itself.
void activate_input_gradient(
    ActivationFunction f, Tensor x, Tensor dh_NF, Tensor dx, Stream stream);

/// logits = cap · tanh(logits / cap), float32, in place.
void cap_logits(Tensor logits_TV, float cap, Stream stream);

/// log_probs[t] = log softmax(capped logits)[t, token_ids[t]]. Where dlogits_TV has data, it
/// becomes the gradient of −Σ weights[t] · log_probs[t] by the raw logits (float32; may be the same
/// memory as logits when it is float32).
void cross_entropy(Tensor logits_TV,
                   float cap,
                   const int32_t* token_ids,
                   const float* weights,
                   Tensor log_probs_T,
                   Tensor dlogits_TV,
                   Stream stream);

}  // namespace prescript::cuda
