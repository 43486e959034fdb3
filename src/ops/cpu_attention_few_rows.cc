#include "ops/cpu_attention_few_rows.h"

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
        queries_[r * E_ + e] = widened(q[e]) * head_.scale() * kLog2E;
      }
    }
    for (int64_t n = 0; n < head_.num_keys(); ++n) multiply_key(n);
    std::vector<RowSum> sums;
    for (int64_t r = 0; r < head_.num_rows(); ++r) {
      float* const scores = scores_ + r * padded_keys_;
      std::fill(scores + head_.visible(r), scores + padded_keys_, kHidden);
      sums.push_back(exponentials(scores, padded_keys_ / kLanes, kLanes, kLanes));
    }
    std::fill_n(out_, head_.num_rows() * E_, 0.0F);
    for (int64_t n = 0; n < head_.num_keys(); ++n) add_value(n);
    for (int64_t r = 0; r < head_.num_rows(); ++r) {
      merge(head_, r, out_ + r * E_, head_.kernel().cols, sums[r], merged);
    }
  }

 private:
  PRESCRIPT_AVX2 void multiply_key(int64_t n) const {
    const T* const key = head_.key<T>(kv_.k, n);
    for (int64_t r = 0; r < head_.num_rows(); ++r) {
      const float* const q = queries_ + r * E_;
      float lanes[kLanes] = {};
      int64_t e = 0;
      for (; e + kLanes <= E_; e += kLanes) {
        for (int64_t k = 0; k < kLanes; ++k) lanes[k] += q[e + k] * widened(key[e + k]);
      }
      for (; e < E_; ++e) lanes[0] += q[e] * widened(key[e]);
      scores_[r * padded_keys_ + n] = sum_of_lanes(lanes);
    }
  }

  PRESCRIPT_AVX2 void add_value(int64_t n) const {
    const T* const value = head_.key<T>(kv_.v, n);
    for (int64_t r = 0; r < head_.num_rows(); ++r) {
      const float p = scores_[r * padded_keys_ + n];
      float* const out = out_ + r * E_;
      for (int64_t e = 0; e < E_; ++e) out[e] += p * widened(value[e]);
    }
  }

  const PartHead& head_;
  const KeyValues& kv_;
  int64_t E_;
  int64_t padded_keys_;
  float* queries_;  // scaled
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
