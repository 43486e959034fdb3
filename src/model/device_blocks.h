#pragma once
// Weights as they are stored, in the memory of a backend that decodes them there.

#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "model/stored_weight.h"
#include "ops/ops.h"

namespace prescript {

/// Room for undecoded rows of some weights, in the order of the weights' rows. For one thread at a
/// time.
class DeviceBlocks {
 public:
  /// Room for `bytes`. Both must outlive this. Throws DeviceError (exit 5) when there is not enough
  /// memory.
  DeviceBlocks(Ops& ops, const TensorSource& source, size_t bytes);

  /// Whether the blocks of a weight can be had row by row: not those of a transposed one, nor of a
  /// type that is none of GGUF's.
  static bool can_hold(const TensorSource& source, const StoredWeight& weight);

  /// Room for these together.
  static size_t bytes(const TensorSource& source, std::span<const StoredWeight> weights);

  /// Starts to load weights, in place of those that were there, while operations run: those asked
  /// for before come first. What was started before has finished.
  void start(std::vector<StoredWeight> weights);

  /// Until then nothing is decoded.
  void finish();

  /// Fills `to` with rows of a loaded weight, from row `first` on.
  void decode(const StoredWeight& weight, int64_t first, Weight to);

 private:
  /// Rows of a tensor: its name, the first of them, and their number. How they are ordered follows
  /// from these.
  using Key = std::tuple<std::string, int64_t, int64_t>;
  static Key key_of(const StoredRows& rows) { return {rows.name, rows.first_row, rows.num_rows}; }

  Ops& ops_;
  const TensorSource& source_;
  size_t bytes_;
  Buffer room_;
  std::vector<StoredWeight> weights_;
  std::map<Key, size_t> places_;  // in the room
  std::unique_ptr<Upload> upload_;
};

}  // namespace prescript
