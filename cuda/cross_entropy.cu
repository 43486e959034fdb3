// cross_entropy.cu: log-probabilities of targets, the gradient of the logits, and their cap.
//   Maths      z = cap·tanh(logit/cap), or the logit
//              log p = (z[target] − max) − log Σ exp(z − max)
//              dlogit = weight·(exp(z − max)/Σ − [v is the target])·(1 − (z/cap)²)
//   Reference  ops/reference.cc
//   Shapes     logits_TV float32, any stride; dlogits_TV float32 or bfloat16, or nothing; may be
//              the logits' memory where float32
//   Mapping    one block a target; with gradient, as many targets at a time as multiprocessors. A
//              first pass keeps a maximum and a sum relative to it in every thread, and the row's
//              beginning in shared memory; the second goes back through the row, whose end is still
//              in the L2 cache
//   Traffic    scoring 4 bytes a logit; with gradient 2 or 4 more, and what neither memory holds
//              once again
//   Roofline   two exponentials a logit: bound by memory
//   Measured   T 512, V 128256: scoring 94 µs, 93 % of a copy's bandwidth; with gradient in place
//              231 µs, 76 % by the least traffic
//              H100 80GB HBM3, CUDA 13.0, 2026-11-27 (prescript_cuda_benchmark)
//   Source     online softmax: Milakov & Gimelshein 2018

#include <cmath>

#include "cuda/card_limits.h"
#include "cuda/kernels.h"
#include "cuda/portable.cuh"
#include "cuda/reduce.cuh"
#include "cuda/vector.cuh"

namespace prescript::cuda {
namespace {

constexpr int kThreads = 1024;

// Vectors of a thread whose loads are under way together.
constexpr int kLoads = 4;

// Of the shared memory that a block may have, what its sums and the machine take.
constexpr int64_t kOtherSharedBytes = 3 << 10;

/// f(logit), and its derivative where it is z.
template <bool kIsCapped>
struct Cap {
  float cap;
  float inverse;

  __device__ __forceinline__ float of(float logit) const {
    return kIsCapped ? cap * tanhf(logit * inverse) : logit;
  }
  __device__ __forceinline__ float slope_at(float z) const {
    const float ratio = z * inverse;
    return kIsCapped ? 1 - ratio * ratio : 1;
  }
};

/// A maximum and Σ exp(z − max) of the numbers so far.
struct OnlineSum {
  float max = Max::kNeutral;
  float sum = 0;

  __device__ __forceinline__ void raise(float new_max) {
    if (new_max <= max) return;
    sum *= expf(max - new_max);
    max = new_max;
  }
};

/// The first vectors of a row, in shared memory. A thread reads there what it wrote itself.
template <int kWidth>
struct HeldVectors {
  Vector<float, kWidth>* vectors;
  int64_t count;
};

/// Fills `row_held`.
template <int kWidth, bool kIsCapped>
__device__ __forceinline__ OnlineSum
sum_of_row(const float* logits, int64_t V, Cap<kIsCapped> cap, HeldVectors<kWidth> row_held) {
  OnlineSum online;
  const int64_t vectors = V / kWidth;
  for (int64_t begin = 0; begin < vectors; begin += kLoads * kThreads) {
    Vector<float, kWidth> held[kLoads] = {};
    float max = online.max;
#pragma unroll
    for (int k = 0; k < kLoads; ++k) {
      const int64_t i = begin + k * kThreads + threadIdx.x;
      if (i < vectors) held[k] = load<kWidth>(logits + i * kWidth);
    }
#pragma unroll
    for (int k = 0; k < kLoads; ++k) {
      const int64_t i = begin + k * kThreads + threadIdx.x;
      const bool exists = i < vectors;
      if (i < row_held.count) row_held.vectors[i] = held[k];
#pragma unroll
      for (int j = 0; j < kWidth; ++j) {
        held[k].values[j] = exists ? cap.of(held[k][j]) : -INFINITY;
        max = fmaxf(max, held[k][j]);
      }
    }
    online.raise(max);
#pragma unroll
    for (int k = 0; k < kLoads; ++k) {
#pragma unroll
      for (int j = 0; j < kWidth; ++j) online.sum += expf(held[k][j] - online.max);
    }
  }
  if (const int64_t v = vectors * kWidth + threadIdx.x; v < V) {
    const float z = cap.of(logits[v]);
    online.raise(z);
    online.sum += expf(z - online.max);
  }
  return online;
}

/// What turns a row of logits into their gradient.
struct RowLoss {
  float max;
  float inverse_sum;
  float weight;
  int64_t target;
};

template <bool kIsCapped>
__device__ __forceinline__ float gradient_of(float logit,
                                             int64_t v,
                                             const RowLoss& loss,
                                             Cap<kIsCapped> cap) {
  const float z = cap.of(logit);
  const float probability = expf(z - loss.max) * loss.inverse_sum;
  return loss.weight * (probability - (v == loss.target ? 1.0F : 0.0F)) * cap.slope_at(z);
}

template <typename G, int kWidth, bool kIsCapped>
__device__ __forceinline__ void write_gradient(const float* logits,
                                               int64_t V,
                                               RowLoss loss,
                                               Cap<kIsCapped> cap,
                                               HeldVectors<kWidth> row_held,
                                               G* gradient) {
  constexpr int kStep = kLoads * kThreads;
  const int64_t vectors = V / kWidth;
  if (const int64_t v = vectors * kWidth + threadIdx.x; v < V) {
    gradient[v] = rounded<G>(gradient_of(logits[v], v, loss, cap));
  }
  for (int64_t begin = (vectors - 1) / kStep * kStep; begin >= 0; begin -= kStep) {
    Vector<float, kWidth> held[kLoads] = {};
#pragma unroll
    for (int k = 0; k < kLoads; ++k) {
      const int64_t i = begin + k * kThreads + threadIdx.x;
      if (i < row_held.count) {
        held[k] = row_held.vectors[i];
      } else if (i < vectors) {
        held[k] = load<kWidth>(logits + i * kWidth);
      }
    }
#pragma unroll
    for (int k = 0; k < kLoads; ++k) {
      const int64_t i = begin + k * kThreads + threadIdx.x;
      if (i >= vectors) continue;
      float values[kWidth];
#pragma unroll
      for (int j = 0; j < kWidth; ++j) {
        values[j] = gradient_of(held[k][j], i * kWidth + j, loss, cap);
      }
      store(values, gradient + i * kWidth);
    }
  }
}

template <typename G, int kWidth, bool kIsCapped>
__global__ void __launch_bounds__(kThreads) cross_entropy_kernel(Rows<const float> logits_TV,
                                                                 int64_t T,
                                                                 int64_t V,
                                                                 int64_t num_held,
                                                                 Cap<kIsCapped> cap,
                                                                 const int32_t* token_ids,
                                                                 const float* weights,
                                                                 float* log_probs_T,
                                                                 Rows<G> dlogits_TV) {
  DYNAMIC_SHARED(memory);
  const HeldVectors<kWidth> held{reinterpret_cast<Vector<float, kWidth>*>(memory), num_held};
  for (int64_t t = blockIdx.x; t < T; t += gridDim.x) {
    const float* const logits = logits_TV[t];
    const int64_t target = token_ids[t];
    const float target_z = cap.of(logits[target]);
    const OnlineSum online = sum_of_row<kWidth>(logits, V, cap, held);
    const float max = reduce_block<Max>(online.max);
    const float sum = reduce_block<Sum>(online.sum * expf(online.max - max));
    if (threadIdx.x == 0) log_probs_T[t] = (target_z - max) - logf(sum);
    if (dlogits_TV.data == nullptr) continue;
    // All threads have read the target's logit: the gradient may take its place.
    const RowLoss loss{max, 1 / sum, weights[t], target};
    write_gradient<G, kWidth>(logits, V, loss, cap, held, dlogits_TV[t]);
  }
}

template <int kWidth>
__global__ void __launch_bounds__(kTileThreads)
    cap_logits_kernel(Rows<float> logits_TV, Cap<true> cap, Tiles tiles) {
  const TilePlace place = tile_place(tiles, kTileRows);
  if (place.column >= tiles.columns) return;
  Vector<float, kWidth> held[kTileRows] = {};
#pragma unroll
  for (int k = 0; k < kTileRows; ++k) {
    const int64_t row = place.row + k * place.step;
    if (row >= tiles.rows) continue;
    held[k] = load<kWidth>(static_cast<const float*>(logits_TV[row]) + place.column * kWidth);
  }
#pragma unroll
  for (int k = 0; k < kTileRows; ++k) {
    const int64_t row = place.row + k * place.step;
    if (row >= tiles.rows) continue;
    float values[kWidth];
#pragma unroll
    for (int i = 0; i < kWidth; ++i) values[i] = cap.of(held[k][i]);
    store(values, logits_TV[row] + place.column * kWidth);
  }
}

/// Whether vectors cover the rows but for a few columns at the end.
bool are_wide_but_for_the_end(int width, std::initializer_list<Tensor> tensors) {
  return std::all_of(tensors.begin(), tensors.end(), [width](Tensor x) {
    x.cols -= x.cols % width;
    return are_wide(width, {x});
  });
}

}  // namespace

void cap_logits(Tensor logits_TV, float cap, Stream stream) {
  with_width<kWide<float>>(are_wide(kWide<float>, {logits_TV}), [&](auto width) {
    const Tiles tiles = tiles_of(logits_TV.rows, logits_TV.cols / width);
    if (tiles.blocks == 0) return;
    LAUNCH((cap_logits_kernel<decltype(width)::value>),
           tiles.blocks,
           kTileThreads,
           0,
           stream,
           rows_of<float>(logits_TV),
           (Cap<true>{cap, 1 / cap}),
           tiles);
  });
}

void cross_entropy(Tensor logits_TV,
                   float cap,
                   const int32_t* token_ids,
                   const float* weights,
                   Tensor log_probs_T,
                   Tensor dlogits_TV,
                   Stream stream) {
  if (logits_TV.rows == 0) return;
  const auto launch = [&]<typename G, typename IsCapped>(G*, IsCapped) {
    constexpr int kMost = kWide<float>;
    with_width<kMost>(are_wide_but_for_the_end(kMost, {logits_TV, dlogits_TV}), [&](auto width) {
      const Cap<IsCapped::value> function{cap, IsCapped::value ? 1 / cap : 0};
      constexpr int64_t kVectorBytes = sizeof(float) * decltype(width)::value;
      const bool reads_twice = dlogits_TV.data != nullptr;
      // A row a multiprocessor at a time: what is not held of so many fits into the L2 cache.
      const CardLimits card = card_limits();
      const int64_t room = (card.block_shared_bytes - kOtherSharedBytes) / kVectorBytes;
      const int64_t held = reads_twice ? std::min(logits_TV.cols / width, room) : 0;
      const int64_t blocks =
          reads_twice ? std::min(logits_TV.rows, card.multiprocessors) : logits_TV.rows;
      LAUNCH((cross_entropy_kernel<G, decltype(width)::value, IsCapped::value>),
             static_cast<uint32_t>(blocks),
             kThreads,
             static_cast<size_t>(held * kVectorBytes),
             stream,
             rows_of<const float>(logits_TV),
             logits_TV.rows,
             logits_TV.cols,
             held,
             function,
             token_ids,
             weights,
             static_cast<float*>(log_probs_T.data),
             rows_of<G>(dlogits_TV));
    });
  };
  with_element_type(dlogits_TV.dtype, [&]<typename G>(G* type) {
    if (cap == 0) return launch(type, std::false_type{});
    launch(type, std::true_type{});
  });
}

}  // namespace prescript::cuda
