#pragma once
// How the cuda backend cuts parts into tiles of queries and of keys.

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "cuda/kernels.h"
#include "ops/ops.h"

namespace prescript {

/// The tiles of one call of attention or of its input gradient. A function of shapes, parts and
/// alignment alone, so that sums keep their order from run to run.
class AttentionPlan {
 public:
  /// Copies bytes to the device, to an address that is a multiple of 16.
  using Stage = std::function<void*(const void* data, size_t bytes)>;

  static AttentionPlan forward(const AttentionShape& shape,
                               std::span<const Part> parts,
                               Tensor q_NHE,
                               std::span<const KeyValues> sources,
                               Tensor out_NHE);

  static AttentionPlan input_gradient(const AttentionShape& shape,
                                      std::span<const Part> parts,
                                      Tensor q_NHE,
                                      std::span<const KeyValues> sources,
                                      Tensor out_NHE,
                                      Tensor dout_NHE,
                                      Tensor dq_NHE,
                                      std::span<const KeyValues> gradients);

  /// Of device memory that the kernels need besides; 0 where no tile is divided.
  size_t workspace_bytes() const;

  /// What the launchers take: one call of `stage`, and `workspace` aligned to 16.
  cuda::AttentionWork place(const Stage& stage, void* workspace) const;

  cuda::AttentionKernels kernels() const { return kernels_; }
  std::span<const cuda::QueryTile> query_tiles() const { return query_tiles_; }
  std::span<const cuda::KeyTile> key_tiles() const { return key_tiles_; }
  std::span<const cuda::MergedTile> merged_tiles() const { return merged_tiles_; }
  std::span<const cuda::AttentionGroup> groups() const { return groups_; }
  std::span<const cuda::AttentionPart> parts() const { return parts_; }

 private:
  AttentionPlan(const AttentionShape& shape,
                cuda::AttentionKernels kernels,
                std::span<const KeyValues> sources,
                std::span<const KeyValues> gradients);

  int64_t group_size() const { return shape_.num_heads / shape_.num_kv_heads; }
  void cut_queries(std::span<const Part> parts, int64_t num_queries);
  void cut_keys(std::span<const Part> parts);
  void divide_tiles();

  AttentionShape shape_;
  cuda::AttentionKernels kernels_;
  std::vector<cuda::AttentionSource> sources_;
  std::vector<cuda::QueryTile> query_tiles_;
  std::vector<cuda::KeyTile> key_tiles_;
  std::vector<cuda::MergedTile> merged_tiles_;
  std::vector<cuda::AttentionGroup> groups_;
  std::vector<cuda::AttentionPart> parts_;
  int32_t num_slots_ = 0;
};

}  // namespace prescript
