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
  kGateUp,         // [2F, D]
  kDown,           // [D, F]
};
inline constexpr int kNumProjections = 6;

/// Those that a layer has.
std::vector<Projection> projections_of(const DecoderConfig& config, int64_t layer);

/// Norms and biases of a layer.
enum class LayerVector {
  kAttentionNorm,      // [D]
  kFeedForwardNorm,    // [D]
  kQueryNorm,          // [E]
  kKeyNorm,            // [E]
  kQueryKeyValueBias,  // [(H + 2K)·E]
  kOutputBias,         // [D]
  kGateUpBias,         // [2F]
  kDownBias,           // [D]
};
inline constexpr int kNumLayerVectors = 8;

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

  int64_t size() const;

  std::vector<float> read(const TensorSource& source) const;
};

/// What tensors are called in a kind of file, and how rotary pairs lie there.
enum class FileKind { kGguf, kHuggingFace };

FileKind kind_of(const TensorSource& source);

/// What a decoder reads of a file.
class StoredWeights {
 public:
  StoredWeights(const DecoderConfig& config, FileKind kind)
      : config_(config), is_gguf_(kind == FileKind::kGguf) {}

  StoredWeight embedding() const;
  /// The embedding itself where the head is tied.
  StoredWeight head() const;
  StoredVector final_norm() const;
  StoredVector vector(int64_t layer, LayerVector which) const;
  StoredWeight projection(int64_t layer, Projection which) const;

 private:
  std::string in_layer(int64_t layer, const char* gguf, const char* hf) const;
  /// Rows of query, key and value, of gate and up: of `kind` "weight" or "bias".
  std::vector<StoredRows> query_key_value(int64_t layer, const std::string& kind) const;
  std::vector<StoredRows> gate_up(int64_t layer, const std::string& kind) const;

  DecoderConfig config_;
  bool is_gguf_;
};

/// Throws InputError(kModel) with the source's path for a tensor that is missing, extra (a bias,
/// say), misshapen, or stored in a type that cannot be read. Reads no weight.
void check_weights(const TensorSource& source, const DecoderConfig& config);

}  // namespace prescript
