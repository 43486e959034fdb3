#include "ops/cpu_attention_few_rows.h"

#include <immintrin.h>

#include "ops/cpu_bfloat16.h"
#include "ops/cpu_math.h"

namespace prescript::cpu {
namespace {

struct ThreadScratch {
  Scratch queries;
  Scratch scores;
  Scratch out;
};

ThreadScratch& scratch() {
  thread_local ThreadScratch instance;
  return instance;
}

PRESCRIPT_AVX2 inline __m256 eight(const float* x) {
  return _mm256_loadu_ps(x);
}
PRESCRIPT_AVX2 inline __m256 eight(const uint16_t* x) {
  const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}

/// Rows of a part, each E floats, or its scores, one after the other.
template <typename T>
class FewRows {
 public:
  FewRows(const PartHead& head, const KeyValues& kv)
      : head_(head),
        kv_(kv),
        E_(head.E()),
        padded_keys_(round_up(head.num_keys(), kLanes)),
        queries_(scratch().queries.take<float>(head.num_rows() * E_)),
        scores_(scratch().scores.take<float>(head.num_rows() * padded_keys_)),
        out_(scratch().out.take<float>(head.num_rows() * E_)) {}

  void run(const Tensor& q_NHE, const Merged& merged) {
    for (int64_t r = 0; r < head_.num_rows(); ++r) {
      const T* const q = head_.query<T>(q_NHE, r);
      for (int64_t e = 0; e < E_; ++e) {
        queries_[r * E_ + e] = widened(q[e]);
      }
    }
    for (int64_t n = 0; n < head_.num_keys(); ++n) multiply_key(n);
    std::vector<RowSum> sums;
    for (int64_t r = 0; r < head_.num_rows(); ++r) {
      float* const scores = scores_ + r * padded_keys_;
      head_.scale_scores(padded_keys_ / kLanes, kLanes, kLanes, scores);
      std::fill(scores + head_.visible(r), scores + padded_keys_, kHidden);
      std::fill_n(scores, std::min(head_.first_visible(r), padded_keys_), kHidden);
      sums.push_back(exponentials(scores, padded_keys_ / kLanes, kLanes, kLanes));
    }
    multiply_values();
    for (int64_t r = 0; r < head_.num_rows(); ++r) {
      merge(head_, r, out_ + r * E_, head_.kernel().cols, sums[r], merged);
    }
  }

 private:
  /// Scores of key `n`.
  PRESCRIPT_AVX2 void multiply_key(int64_t n) const {
    const T* const key = head_.key<T>(kv_.k, n);
    for (int64_t r = 0; r < head_.num_rows(); ++r) {
      const float* const q = queries_ + r * E_;
      __m256 sums[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
      int64_t e = 0;
      for (; e + kLanes <= E_; e += kLanes) {
        sums[0] += _mm256_loadu_ps(q + e) * eight(key + e);
        sums[1] += _mm256_loadu_ps(q + e + 8) * eight(key + e + 8);
      }
      sums[0] += sums[1];
      const __m128 four = _mm256_castps256_ps128(sums[0]) + _mm256_extractf128_ps(sums[0], 1);
      const __m128 two = four + _mm_movehl_ps(four, four);
      float sum = two[0] + two[1];
      for (; e < E_; ++e) sum += q[e] * widened(key[e]);
      scores_[r * padded_keys_ + n] = sum;
    }
  }

  /// Elements [e, e + kLanes) of `num_rows` rows of P·V from row `r` on: their sums stay in
  /// registers.
  template <int num_rows>
  PRESCRIPT_AVX2 void multiply_values(int64_t r, int64_t e) const {
    __m256 sums[num_rows][2];
    for (int i = 0; i < num_rows; ++i) sums[i][0] = sums[i][1] = _mm256_setzero_ps();
    for (int64_t n = 0; n < head_.num_keys(); ++n) {
      const T* const value = head_.key<T>(kv_.v, n) + e;
      const __m256 first = eight(value);
      const __m256 second = eight(value + 8);
#pragma GCC unroll 3
      for (int i = 0; i < num_rows; ++i) {
        const __m256 p = _mm256_set1_ps(scores_[(r + i) * padded_keys_ + n]);
        sums[i][0] += p * first;
        sums[i][1] += p * second;
      }
    }
    for (int i = 0; i < num_rows; ++i) {
      _mm256_storeu_ps(out_ + (r + i) * E_ + e, sums[i][0]);
      _mm256_storeu_ps(out_ + (r + i) * E_ + e + 8, sums[i][1]);
    }
  }

  PRESCRIPT_AVX2 void multiply_values() const {
    int64_t e = 0;
    for (; e + kLanes <= E_; e += kLanes) {
      int64_t r = 0;
      for (; r + 3 <= head_.num_rows(); r += 3) multiply_values<3>(r, e);
      for (; r < head_.num_rows(); ++r) multiply_values<1>(r, e);
    }
    for (; e < E_; ++e) {
      for (int64_t r = 0; r < head_.num_rows(); ++r) {
        float sum = 0;
        for (int64_t n = 0; n < head_.num_keys(); ++n) {
          sum += scores_[r * padded_keys_ + n] * widened(head_.key<T>(kv_.v, n)[e]);
        }
        out_[r * E_ + e] = sum;
      }
    }
  }

  const PartHead& head_;
  const KeyValues& kv_;
  int64_t E_;
  int64_t padded_keys_;
  float* queries_;
  float* scores_;
  float* out_;
};

}  // namespace

bool has_few_rows(const PartHead& head) {
  return head.num_rows() <= head.kernel().rows;
}

void attend_few_rows(const PartHead& head,
                     Tensor q_NHE,
                     const KeyValues& kv,
                     const Merged& merged) {
  if (q_NHE.dtype == DType::kFloat32) {
    FewRows<float>(head, kv).run(q_NHE, merged);
  } else {
    FewRows<uint16_t>(head, kv).run(q_NHE, merged);
  }
}

}  // namespace prescript::cpu
