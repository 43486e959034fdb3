#pragma once
// Weights as they are stored, in the memory of a backend that decodes them there.

#include <map>
#include <string>
#include <tuple>

#include "model/stored_weight.h"
#include "ops/ops.h"

namespace prescript {

/// Undecoded rows of weights, in the order of the weights' rows. For one thread at a time.
class DeviceBlocks {
 public:
  /// Both must outlive this.
  DeviceBlocks(Ops& ops, const TensorSource& source) : ops_(ops), source_(source) {}

  /// Whether the blocks of a weight can be had row by row: not those of a transposed one, nor of a
  /// type that is none of GGUF's.
  static bool can_hold(const TensorSource& source, const StoredWeight& weight);

  /// What holding it takes.
  static size_t bytes(const TensorSource& source, const StoredWeight& weight);

  /// Loads what is not there yet. Throws DeviceError (exit 5) when there is not enough memory.
  void load(const StoredWeight& weight);

  /// Fills `to` with rows of a loaded weight, from row `first` on.
  void decode(const StoredWeight& weight, int64_t first, Weight to);

 private:
  /// Rows of a tensor: its name, the first of them, and their number. How they are ordered follows
  /// from these.
  using Key = std::tuple<std::string, int64_t, int64_t>;
  static Key key_of(const StoredRows& rows) { return {rows.name, rows.first_row, rows.num_rows}; }

  void load_rows(const StoredRows& rows, Buffer& buffer);

  Ops& ops_;
  const TensorSource& source_;
  std::map<Key, Buffer> held_;
};

}  // namespace prescript
