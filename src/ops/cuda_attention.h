#pragma once
// How the cuda backend cuts parts into tiles of queries and of keys.

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "cuda/kernels.h"
#include "ops/cuda_device.h"
#include "ops/ops.h"

namespace prescript {

/// The tiles of one call of attention or of its input gradient. A function of the card's kind,
/// shapes, parts and alignment alone, so that sums keep their order from run to run.
class AttentionPlan {
 public:
  using Products = cuda::Device::Products;
  /// Copies bytes to the device, to an address that is a multiple of 16.
  using Stage = std::function<void*(const void* data, size_t bytes)>;

  static AttentionPlan forward(Products products,
                               const AttentionShape& shape,
                               std::span<const Part> parts,
                               Tensor q_NHE,
                               std::span<const KeyValues> sources,
                               Tensor out_NHE);

  static AttentionPlan input_gradient(Products products,
                                      const AttentionShape& shape,
                                      std::span<const Part> parts,
                                      Tensor q_NHE,
                                      std::span<const KeyValues> sources,
                                      Tensor out_NHE,
                                      Tensor dout_NHE,
                                      Tensor dq_NHE,
                                      std::span<const KeyValues> gradients);

  /// Of device memory that the kernels need besides; 0 where no tile is divided. That of an input
  /// gradient must hold zeros.
  size_t workspace_bytes() const;

  /// What the launchers take: one call of `stage`, and `workspace` aligned to 16.
  cuda::AttentionWork place(const Stage& stage, void* workspace) const;

  cuda::AttentionKernels kernels() const { return kernels_; }
  std::span<const cuda::QueryTile> query_tiles() const { return query_tiles_; }
  std::span<const cuda::KeyTile> key_tiles() const { return key_tiles_; }
  std::span<const cuda::MergedTile> merged_tiles() const { return merged_tiles_; }
  std::span<const cuda::AttentionGroup> groups() const { return groups_; }
  std::span<const cuda::AttentionPart> parts() const { return parts_; }

  /// The source of the caller that source `index` of a tile stands for.
  int32_t source_of(int32_t index) const;

 private:
  AttentionPlan(const AttentionShape& shape,
                cuda::AttentionKernels kernels,
                std::span<const KeyValues> sources,
                std::span<const KeyValues> gradients);

  int64_t group_size() const { return shape_.num_heads / shape_.num_kv_heads; }
  void cut_queries(std::span<const Part> parts, int64_t num_queries);
  void cut_keys(std::span<const Part> parts);
  void divide_query_tiles();
  void divide_key_tiles();

  /// Keys [begin, end) of a source whose tiles are divided: pieces behind the first have sources of
  /// their own, from `first_piece` on, with gradients in the workspace.
  struct DividedSource {
    int32_t source = 0;
    int32_t begin = 0;
    int32_t end = 0;
    int32_t first_piece = 0;
    int32_t num_pieces = 0;
  };
  size_t numbers_of(const DividedSource& divided) const;
  void place_pieces(float* workspace,
                    std::vector<cuda::AttentionSource>& sources,
                    std::vector<cuda::DividedKeys>& divided_keys) const;

  AttentionShape shape_;
  cuda::AttentionKernels kernels_;
  std::vector<cuda::AttentionSource> sources_;
  std::vector<cuda::QueryTile> query_tiles_;
  std::vector<cuda::KeyTile> key_tiles_;
  std::vector<cuda::MergedTile> merged_tiles_;
  std::vector<cuda::AttentionGroup> groups_;
  std::vector<cuda::AttentionPart> parts_;
  std::vector<DividedSource> divided_;
  int32_t num_slots_ = 0;
};

}  // namespace prescript
