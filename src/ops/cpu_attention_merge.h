#pragma once
// What attention has summed up of each query row and head so far, over parts and segments of their
// keys: exactly what softmax over all keys needs (Hydragen, arXiv 2402.05099, section 3).

#include "ops/cpu_attention_part.h"

namespace prescript::cpu {

/// O = Σ 2^(score − m)·v, m the largest score so far, s = Σ 2^(score − m); float32.
struct Merged {
  Tensor out_NHE;  // O
  Tensor max_NH;   // m
  Tensor sum_NH;   // s
};

/// Nothing summed up yet, in `memory`.
Merged start_merging(const AttentionShape& shape, int64_t num_rows, Scratch& memory);

/// Of the scores of a row.
struct RowSum {
  float max = 0;
  float sum = 0;  // of 2^(score − max)
};

/// Turns scores into 2^(score − max): `chunks` of `cols` scores, `stride` floats apart. What is not
/// a number makes the sum such.
RowSum exponentials(float* scores, int64_t chunks, int64_t cols, int64_t stride);

/// Merges row `r` of a part: Σ 2^(score − max)·v in `out`, in chunks of the kernel's columns,
/// `stride` floats apart.
void merge(
    const PartHead& head, int64_t r, const float* out, int64_t stride, RowSum row, Merged merged);

/// O/s, and m + log s as a natural logarithm.
void finish_merging(const AttentionShape& shape, const Merged& merged, Tensor out, Tensor lse);

}  // namespace prescript::cpu
