#pragma once
// GGUF files made by hand, so that every key and tensor can be changed by itself.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "io/gguf.h"

namespace prescript {

/// Keys and tensors; bytes() is the file (ggml/docs/gguf.md).
class GgufBytes {
 public:
  void set(const std::string& key, uint32_t value) {
    keys_[key] = raw(GgufType::kUint32) + raw(value);
  }
  void set(const std::string& key, float value) {
    keys_[key] = raw(GgufType::kFloat32) + raw(value);
  }
  void set(const std::string& key, const std::string& value) {
    keys_[key] = raw(GgufType::kString) + text(value);
  }
  void set(const std::string& key, bool value) {
    keys_[key] = raw(GgufType::kBool) + raw(static_cast<uint8_t>(value));
  }
  void erase(const std::string& key) { keys_.erase(key); }

  /// `shape` outermost first. `data` is as `type` stores it.
  void set_tensor(const std::string& name,
                  const std::vector<uint64_t>& shape,
                  GgmlType type,
                  std::string data) {
    tensors_[name] = {shape, type, std::move(data)};
  }

  /// Float32 zeros.
  void set_tensor(const std::string& name, const std::vector<uint64_t>& shape) {
    uint64_t count = 1;
    for (const uint64_t extent : shape) count *= extent;
    set_tensor(name, shape, GgmlType::kF32, std::string(count * sizeof(float), '\0'));
  }

  std::string bytes() const {
    std::string file =
        "GGUF" + raw(uint32_t{3}) + raw(uint64_t{tensors_.size()}) + raw(uint64_t{keys_.size()});
    for (const auto& [key, value] : keys_) file += text(key) + value;
    std::string data;
    for (const auto& [name, tensor] : tensors_) {
      file += text(name) + raw(static_cast<uint32_t>(tensor.shape.size()));
      for (auto extent = tensor.shape.rbegin(); extent != tensor.shape.rend(); ++extent) {
        file += raw(*extent);
      }
      file += raw(static_cast<uint32_t>(tensor.type)) + raw(uint64_t{data.size()});
      data += tensor.data;
      data.resize(padded(data.size()));
    }
    file.resize(padded(file.size()));
    return file + data;
  }

 private:
  template <typename T>
  static std::string raw(T value) {
    return std::string(reinterpret_cast<const char*>(&value), sizeof value);
  }
  static std::string text(const std::string& value) { return raw(uint64_t{value.size()}) + value; }
  static size_t padded(size_t size) { return (size + 31) / 32 * 32; }

  std::map<std::string, std::string> keys_;
  struct Tensor {
    std::vector<uint64_t> shape;
    GgmlType type;
    std::string data;
  };

  std::map<std::string, Tensor> tensors_;
};

}  // namespace prescript
