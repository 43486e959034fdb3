#pragma once
// GGUF files made by hand, so that every key and tensor can be changed by itself.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "io/gguf.h"

namespace prescript {

/// Keys and float32 tensors full of zeros; bytes() is the file (ggml/docs/gguf.md).
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
  void erase(const std::string& key) { keys_.erase(key); }

  /// `shape` outermost first.
  void set_tensor(const std::string& name, const std::vector<uint64_t>& shape) {
    tensors_[name] = shape;
  }

  std::string bytes() const {
    std::string file =
        "GGUF" + raw(uint32_t{3}) + raw(uint64_t{tensors_.size()}) + raw(uint64_t{keys_.size()});
    for (const auto& [key, value] : keys_) file += text(key) + value;
    std::string data;
    for (const auto& [name, shape] : tensors_) {
      file += text(name) + raw(static_cast<uint32_t>(shape.size()));
      uint64_t count = 1;
      for (auto extent = shape.rbegin(); extent != shape.rend(); ++extent) {
        file += raw(*extent);
        count *= *extent;
      }
      file += raw(uint32_t{0}) + raw(uint64_t{data.size()});
      data.resize(padded(data.size() + count * sizeof(float)));
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
  std::map<std::string, std::vector<uint64_t>> tensors_;
};

}  // namespace prescript
