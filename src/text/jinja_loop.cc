#include "text/jinja_loop.h"

#include <cstdint>

namespace prescript::jinja {

std::optional<Value> Loop::next() {
  if (!has_next()) return std::nullopt;
  ++index0_;
  return accepted_[static_cast<size_t>(index0_)];
}

Value Loop::attribute(const std::string& name) {
  const auto current = static_cast<size_t>(index0_);
  if (name == "index") return index0_ + 1;
  if (name == "index0") return index0_;
  if (name == "first") return index0_ == 0;
  if (name == "last") return !has_next();
  if (name == "length") return length();
  if (name == "revindex") return length() - index0_;
  if (name == "revindex0") return length() - index0_ - 1;
  if (name == "depth") return int64_t{1};
  if (name == "depth0") return int64_t{0};
  if (name == "previtem") return current == 0 ? Undefined{&name} : accepted_[current - 1];
  return has_next() ? accepted_[current + 1] : Undefined{&name};  // nextitem
}

bool Loop::accept(size_t count) {
  const size_t wanted = static_cast<size_t>(index0_ + 1) + count;
  while (accepted_.size() < wanted && num_tested_ < items_.size()) {
    const Value& candidate = items_[num_tested_++];
    if (accepts_(candidate)) accepted_.push_back(candidate);
  }
  return accepted_.size() >= wanted;
}

int64_t Loop::length() {
  accept(items_.size());
  return static_cast<int64_t>(accepted_.size());
}

}  // namespace prescript::jinja
