#pragma once
// safetensors files, read and written (github.com/huggingface/safetensors).

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/mapped_file.h"

namespace prescript {

struct SafetensorsTensor {
  std::string name;
  std::string dtype;           // as the file spells it: "F32", "BF16", "I64", ...
  std::vector<int64_t> shape;  // outermost first; empty for a scalar
  std::span<const std::byte> bytes;
};

/// Bytes of one element of `dtype`, 0 for an unknown one.
size_t safetensors_element_bytes(std::string_view dtype);

/// A checked file: tensors cover the data exactly, without holes or overlap, and their sizes follow
/// from shape and dtype. Throws InputError(code) "file: ..." for everything the reference
/// implementation refuses, and for a header that does not begin with '{' or that repeats a key.
class SafetensorsFile {
 public:
  static std::shared_ptr<const SafetensorsFile> open(const std::string& path,
                                                     ExitCode code = ExitCode::kModel);
  SafetensorsFile(std::shared_ptr<const MappedFile> file, ExitCode code);
  SafetensorsFile(const SafetensorsFile&) = delete;
  SafetensorsFile& operator=(const SafetensorsFile&) = delete;

  const std::string& path() const { return file_->path(); }

  /// In the order of their data.
  const std::vector<SafetensorsTensor>& tensors() const { return tensors_; }
  const SafetensorsTensor* find(std::string_view name) const;
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  std::shared_ptr<const MappedFile> file_;
  std::vector<SafetensorsTensor> tensors_;
  std::map<std::string_view, size_t> index_;  // by the names in tensors_
  std::map<std::string, std::string> metadata_;
};

/// A whole file with these tensors and this metadata. The same input gives the same bytes, and the
/// same as safetensors' Python package writes for at most one metadata key (its order of several is
/// random; here they are sorted): widest dtype first, then by name; header padded with spaces to a
/// multiple of 8. Throws ContractError when a tensor's bytes do not fit its shape and dtype, or a
/// name comes twice.
std::string safetensors_file_bytes(std::vector<SafetensorsTensor> tensors,
                                   const std::map<std::string, std::string>& metadata = {});

}  // namespace prescript
