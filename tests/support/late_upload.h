#pragma once
// An upload as unhelpful as its contract allows.

#include <algorithm>
#include <cstring>
#include <utility>

#include "ops/ops.h"

namespace prescript {

/// What was there before is spoiled at once; the bytes arrive when they are waited for.
class LateUpload final : public Upload {
 public:
  LateUpload(BytePieces pieces, void* to)
      : pieces_(std::move(pieces)), to_(static_cast<std::byte*>(to)) {
    std::memset(to_, 0xFF, bytes());
  }

  size_t bytes() const {
    size_t total = 0;
    for (const auto& piece : pieces_) total += piece.size();
    return total;
  }

  void finish() override {
    std::byte* to = to_;
    for (const auto& piece : pieces_) to = std::copy(piece.begin(), piece.end(), to);
  }

 private:
  BytePieces pieces_;
  std::byte* to_;
};

}  // namespace prescript
