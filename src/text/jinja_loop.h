#pragma once
// The state of one {% for %}.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "text/jinja_value.h"

namespace prescript::jinja {

/// Items are tested when the loop needs them, as in Jinja: a test may read what the body has set.
class Loop {
 public:
  /// `accepts` is the loop's condition.
  Loop(std::vector<Value> items, std::function<bool(const Value&)> accepts)
      : items_(std::move(items)), accepts_(std::move(accepts)) {}

  /// Moves to the next item; nothing at the end.
  std::optional<Value> next();

  /// `loop.name`, less cycle. `name` outlives the result.
  Value attribute(const std::string& name);

  int64_t index0() const { return index0_; }

 private:
  bool has_next() { return accept(1); }
  /// Tests items until `count` behind the current one have passed; whether there are so many.
  bool accept(size_t count);
  int64_t length();

  std::vector<Value> items_;
  std::function<bool(const Value&)> accepts_;
  size_t num_tested_ = 0;        // items from the front that were tested
  std::vector<Value> accepted_;  // and passed
  int64_t index0_ = -1;
};

}  // namespace prescript::jinja
