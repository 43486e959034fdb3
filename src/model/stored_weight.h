#pragma once
// Which stored tensors make up a decoder's weights, and their rows in the order of the layer
// function.

#include <string>
#include <vector>

#include "io/tensor_source.h"
#include "model/decoder_config.h"

namespace prescript {

/// The products of a layer, [out, in]. Query, key and value are one product, gate and up another.
enum class Projection {
  kQueryKeyValue,  // [(H + 2K)·E, D]; in the last layer the two below instead:
  kQuery,          // [H·E, D], of the rows that lead to an output, and
  kKeyValue,       // [2K·E, D], of all
  kOutput,         // [D, H·E]
  kGateUp,         // [2F, D]; without a gate [F, D]
  kDown,           // [D, F]
};
inline constexpr int kNumProjections = 6;

/// Those that a layer has.
std::vector<Projection> projections_of(const DecoderConfig& config, int64_t layer);

/// Norms and biases of a layer.
enum class LayerVector {
  kAttentionNorm,        // [D]
  kAttentionNormBias,    // [D]
  kFeedForwardNorm,      // [D]
  kFeedForwardNormBias,  // [D]
  kQueryNorm,            // [E]
  kKeyNorm,              // [E]
  kPostAttentionNorm,    // [D]
  kPostFeedForwardNorm,  // [D]
  kQueryKeyValueBias,    // [(H + 2K)·E]
  kOutputBias,           // [D]
  kGateUpBias,           // [2F]; without a gate [F]
  kDownBias,             // [D]
};
inline constexpr int kNumLayerVectors = 12;

/// Those that a layer has.
std::vector<LayerVector> vectors_of(const DecoderConfig& config);

/// Rows of a stored matrix, or elements of a stored vector.
struct StoredRows {
  std::string name;
  int64_t num_rows = 0;
  /// GGUF stores a rotary pair, elements i and i + E/2 of a head, side by side (rows 2i and 2i + 1
  /// of its E rows). 0 where rows lie in their order.
  int64_t interleaved_head_size = 0;
  int64_t first_row = 0;
  int64_t tensor_rows = num_rows;  // of the whole tensor
  /// Where rows lie in blocks (of a head), so many tensor rows from one to the next. 0: they do
  /// not.
  int64_t block_rows = 0;
  int64_t block_stride = 0;
  bool is_transposed = false;  // rows are the tensor's columns

  /// The tensor's row that holds row `row`.
  int64_t stored_row(int64_t row) const;
  /// Whether rows lie one behind the other.
  bool is_run() const { return interleaved_head_size == 0 && block_rows == 0; }
};

/// A weight as rows of tensors, one behind the other.
struct StoredWeight {
  std::vector<StoredRows> tensors;
  int64_t cols = 0;

  int64_t rows() const;

  /// Rows [begin, begin + count) as dense float32. Safe to use from several threads.
  void read(const TensorSource& source, int64_t begin, int64_t count, float* rows) const;

  void release(const TensorSource& source) const;
};

/// A norm or a bias likewise.
struct StoredVector {
  std::vector<StoredRows> tensors;
  float offset = 0;  // what is stored lies so much below

  int64_t size() const;

  std::vector<float> read(const TensorSource& source) const;
};

/// How a file names and stores tensors.
struct FileKind {
  bool is_gguf = false;
  std::string prefix;  // of HF's names, except the head's
};

FileKind kind_of(const TensorSource& source, const DecoderConfig& config);

/// What a decoder reads of a file.
class StoredWeights {
 public:
  StoredWeights(const DecoderConfig& config, FileKind kind)
      : config_(config), kind_(std::move(kind)) {}

  StoredWeight embedding() const;
  /// Of positions that were learned, [positions, D].
  StoredWeight positions() const;
  /// The embedding itself where the head is tied.
  StoredWeight head() const;
  StoredVector final_norm() const;
  StoredVector final_norm_bias() const;
  StoredVector vector(int64_t layer, LayerVector which) const;
  StoredWeight projection(int64_t layer, Projection which) const;

 private:
  const TensorNames& names() const;
  /// Behind the prefix.
  std::string full(std::string_view name) const;
  std::string in_layer(int64_t layer, std::string_view name) const;
  StoredWeight matrix(int64_t layer, std::string_view name, int64_t rows, int64_t cols) const;
  StoredVector norm(std::string name, int64_t size) const;
  /// Rows of query, key and value, of gate and up: of `kind` ".weight" or ".bias".
  std::vector<StoredRows> query_key_value(int64_t layer, const char* kind) const;
  std::vector<StoredRows> gate_up(int64_t layer, const char* kind) const;
  /// Whether the file has a layer's weights as [in, out].
  bool is_transposed() const { return config_.features.transposed_in_hf && !kind_.is_gguf; }

  DecoderConfig config_;
  FileKind kind_;
};

/// Throws InputError(kModel) with the source's path for a tensor that is missing, extra (a bias,
/// say), misshapen, or stored in a type that cannot be read. Reads no weight.
void check_weights(const TensorSource& source, const DecoderConfig& config);

}  // namespace prescript
