#pragma once
// K/V of a run of rows that outlive the pass that computed them.

#include <vector>

#include "model/decoder_config.h"
#include "ops/ops.h"

namespace prescript {

/// Keys (after rotary) and values of up to `capacity` rows in every layer, and, where later passes
/// differentiate through them, their gradients in the K/V gradient dtype, zero at first. What a run
/// means (an adapter, an instruction, a growing answer) is its owner's business.
class KeyValueRun {
 public:
  KeyValueRun(
      Ops& ops, const DecoderConfig& config, DType dtype, int64_t capacity, bool with_gradient);

  KeyValues layer(int64_t layer) const { return layers_[layer]; }
  /// Null tensors without gradients.
  KeyValues gradient(int64_t layer) const { return gradients_[layer]; }
  int64_t capacity() const { return capacity_; }

  static size_t bytes(const DecoderConfig& config, DType dtype, int64_t capacity);

 private:
  int64_t capacity_;
  Buffer block_;
  std::vector<KeyValues> layers_;
  std::vector<KeyValues> gradients_;
};

}  // namespace prescript
