#pragma once
// Stored tensors as float32, whatever file they come from, by slices.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/gguf.h"

namespace prescript {

/// Numbers as they lie in a file: blocks of a type, row after row.
struct StoredBlocks {
  GgmlType type = GgmlType::kF32;
  std::span<const std::byte> bytes;
};

struct TensorInfo {
  std::string name;            // as the file spells it
  std::string stored_type;     // "Q4_1", "F16", "BF16", ...
  std::vector<int64_t> shape;  // outermost first, PyTorch's order: a projection is [out, in]
  uint64_t bytes = 0;          // in the file
  bool is_readable = true;     // whether `stored_type` can be decoded

  /// As a matrix: all but the last dimension fold into rows; a vector or scalar is one row.
  int64_t rows() const;
  int64_t cols() const;
};

/// Reads tensors of a base model. Safe to use from several threads at once.
class TensorSource {
 public:
  virtual ~TensorSource() = default;

  /// The file, or the directory of several, for messages.
  virtual const std::string& path() const = 0;

  /// The files that hold them: what identifies a base model (io/base_hash.h). Shards are in their
  /// order, files of an HF directory sorted.
  virtual std::vector<std::string> files() const = 0;

  /// Null when there is no such tensor. The pointer lives as long as the source.
  virtual const TensorInfo* find(std::string_view name) const = 0;

  /// All tensors, in the order of the files.
  virtual std::vector<TensorInfo> list() const = 0;

  /// Columns that a slice's borders must be a multiple of (1, or the quantisation block).
  virtual int64_t column_alignment(std::string_view name) const = 0;

  /// Decodes rows [row_begin, row_end) x columns [col_begin, col_end) into `out`, dense and
  /// row-major. Throws ContractError for an unknown name, a range outside of the tensor, or columns
  /// that split a block.
  virtual void read(std::string_view name,
                    int64_t row_begin,
                    int64_t row_end,
                    int64_t col_begin,
                    int64_t col_end,
                    float* out) const = 0;

  /// The tensor undecoded, in mapped memory; nothing where no GGUF type names how it is stored.
  virtual std::optional<StoredBlocks> blocks(std::string_view name) const = 0;

  /// Says that the tensor will not be read for a while: the system need not hold its pages for this
  /// process. They come back when it is read.
  virtual void release(std::string_view name) const = 0;

  /// Says that the tensor will be read soon: the system may begin to.
  virtual void read_ahead(std::string_view name) const = 0;

  /// The whole tensor.
  std::vector<float> read_all(std::string_view name) const;
};

/// The tensors of a GGUF file, or of all shards of a model.
std::unique_ptr<TensorSource> open_gguf_tensors(const std::shared_ptr<const GgufFile>& file);

/// The tensors of an HF directory: model.safetensors, or the shards that
/// model.safetensors.index.json names. Types F64, F32, F16 and BF16 are readable; a tensor of
/// another type can be listed, not read. Throws InputError(kModel): nothing to read, a pickled
/// model (with the way to convert it), a shard that is missing, a tensor that is not where the
/// index says, a name with a path in it.
std::unique_ptr<TensorSource> open_safetensors_directory(const std::string& dir);

}  // namespace prescript
