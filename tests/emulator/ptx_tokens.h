#pragma once
// The words and signs of PTX text.

#include <string>
#include <vector>

namespace prescript::emulator {

struct PtxToken {
  std::string text;  // empty at the end
  int line = 0;
};

/// Names with their dots, numbers, text in quotes, and single signs; without comments.
std::vector<PtxToken> tokens_of_ptx(const std::string& text);

/// Reads one after another.
class PtxReader {
 public:
  PtxReader(std::vector<PtxToken> tokens, std::string path)
      : tokens_(std::move(tokens)), path_(std::move(path)) {}

  const std::string& peek(size_t ahead = 0) const;
  std::string next();
  bool accept(const std::string& text);
  void expect(const std::string& text);
  /// Of what was read last.
  int line() const;
  int64_t number();

  /// Throws std::runtime_error with the place.
  [[noreturn]] void refuse(const std::string& why) const;

 private:
  std::vector<PtxToken> tokens_;
  std::string path_;
  size_t position_ = 0;
};

}  // namespace prescript::emulator
