#include "io/json.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/durable_file.h"
#include "io/lfs_pointer.h"
#include "io/quote.h"

namespace prescript {
namespace {

using nlohmann::json;

/// Reads characters and tells everybody how far it is: the parser's events come without a place.
class PlacedIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  PlacedIterator(const char* at, const char** place) : at_(at), place_(place) {}
  reference operator*() const { return *at_; }
  PlacedIterator& operator++() {
    *place_ = ++at_;
    return *this;
  }
  PlacedIterator operator++(int) {
    PlacedIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const PlacedIterator& other) const { return at_ == other.at_; }
  bool operator!=(const PlacedIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  const char** place_;
};

/// The parser's message without its name, its place and the text it read last, which may be
/// confidential.
std::string reason_of(const std::string& what) {
  std::string reason = what.substr(what.find("] ") == std::string::npos ? 0 : what.find("] ") + 2);
  if (const size_t at = reason.find("parse error at "); at == 0) {
    if (const size_t colon = reason.find(": "); colon != std::string::npos)
      reason = reason.substr(colon + 2);
  }
  if (reason.starts_with("number overflow")) return "a number is outside of float64";
  const size_t last_read = reason.find("; last read: '");
  if (last_read == std::string::npos) return reason;
  const size_t expected = reason.rfind("'; expected ");
  const bool has_expected = expected != std::string::npos && expected > last_read;
  return reason.substr(0, last_read) + (has_expected ? reason.substr(expected + 1) : "");
}

/// Builds the value from the parser's events, and refuses what the parser itself accepts.
class Builder final : public nlohmann::json_sax<json> {
 public:
  Builder(std::string_view text,
          const char** at,
          const std::string& place,
          bool is_line,
          ExitCode code,
          size_t max_depth)
      : text_(text),
        at_(at),
        place_(place),
        is_line_(is_line),
        code_(code),
        max_depth_(max_depth) {}

  json take() { return std::move(root_); }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return open(json::object()); }
  bool start_array(size_t) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    const auto [member, is_new] = open_.back()->get_ref<json::object_t&>().try_emplace(name);
    if (!is_new) fail("the key " + quote(name) + " comes twice; remove one of them");
    member_ = &member->second;
    return true;
  }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception& error) override {
    fail(reason_of(error.what()));
  }

 private:
  [[noreturn]] void fail(const std::string& message) const {
    const std::string_view read = text_.substr(0, static_cast<size_t>(*at_ - text_.data()));
    const size_t line_begin = read.rfind('\n') + 1;  // npos + 1 is 0
    const auto line = std::count(read.begin(), read.end(), '\n') + 1;
    throw InputError(code_,
                     place_ + (is_line_ ? "" : ":" + std::to_string(line)) + ":" +
                         std::to_string(read.size() - line_begin) + ": " + message);
  }

  json* put(json value) {
    if (open_.empty()) return &(root_ = std::move(value));
    if (open_.back()->is_array()) {
      auto& items = open_.back()->get_ref<json::array_t&>();
      return &items.emplace_back(std::move(value));
    }
    return &(*member_ = std::move(value));
  }

  template <typename T>
  bool add(T&& value) {
    put(json(std::forward<T>(value)));
    return true;
  }

  bool open(json container) {
    if (open_.size() == max_depth_)
      fail("nested deeper than " + std::to_string(max_depth_) + " levels");
    open_.push_back(put(std::move(container)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  std::string_view text_;
  const char** at_;
  const std::string& place_;
  bool is_line_;  // `place_` names it
  ExitCode code_;
  size_t max_depth_;
  json root_;
  std::vector<json*> open_;  // the containers that are being filled, outermost first
  json* member_ = nullptr;   // where the innermost object's next value goes
};

const char* type_of(const json& value) {
  switch (value.type()) {
    case json::value_t::null:
      return "null";
    case json::value_t::object:
      return "an object";
    case json::value_t::array:
      return "an array";
    case json::value_t::string:
      return "a string";
    case json::value_t::boolean:
      return "a boolean";
    case json::value_t::number_float:
      return "a number with a fraction or exponent";
    default:
      return "a number";
  }
}

json parse(std::string_view text,
           const std::string& place,
           bool is_line,
           ExitCode code,
           const JsonLimits& limits) {
  if (text.size() > limits.max_bytes)
    throw InputError(code,
                     place + ": " + std::to_string(text.size()) + " bytes of JSON; at most " +
                         std::to_string(limits.max_bytes) + " are read");
  const char* at = text.data();
  Builder builder(text, &at, place, is_line, code, limits.max_depth);
  json::sax_parse(
      PlacedIterator(text.data(), &at), PlacedIterator(text.data() + text.size(), &at), &builder);
  return builder.take();
}

}  // namespace

json parse_json(std::string_view text,
                const std::string& place,
                ExitCode code,
                const JsonLimits& limits) {
  return parse(text, place, /*is_line=*/false, code, limits);
}

json parse_json_line(std::string_view line, const std::string& place, ExitCode code) {
  return parse(line, place, /*is_line=*/true, code, {});
}

json parse_json_file(const std::string& path, ExitCode code, const JsonLimits& limits) {
  const std::string text = read_file(path, limits.max_bytes, code);
  refuse_lfs_pointer(text, path, code);
  return parse_json(text, path, code, limits);
}

JsonCursor::JsonCursor(const json& root, std::string place, ExitCode code)
    : JsonCursor(&root, std::move(place), "", code) {}

JsonCursor::JsonCursor(const json* value, std::string place, std::string path, ExitCode code)
    : value_(value), place_(std::move(place)), path_(std::move(path)), code_(code) {}

void JsonCursor::fail(const std::string& message) const {
  throw InputError(code_, place_ + ": " + (path_.empty() ? "" : path_ + ": ") + message);
}

void JsonCursor::fail_type(const char* expected) const {
  fail(std::string("expected ") + expected + ", found " + type_of(*value_));
}

JsonCursor JsonCursor::at(std::string_view key) const {
  if (!is_object()) fail_type("an object");
  const std::string path = path_.empty() ? std::string(key) : path_ + "." + std::string(key);
  const auto member = value_->find(std::string(key));
  if (member == value_->end()) JsonCursor(value_, place_, path, code_).fail("missing");
  return JsonCursor(&*member, place_, path, code_);
}

std::optional<JsonCursor> JsonCursor::find(std::string_view key) const {
  if (!is_object()) fail_type("an object");
  const auto member = value_->find(std::string(key));
  if (member == value_->end() || member->is_null()) return std::nullopt;
  return at(key);
}

std::vector<std::string> JsonCursor::keys() const {
  if (!is_object()) fail_type("an object");
  std::vector<std::string> keys;
  for (const auto& [key, unused] : value_->items()) keys.push_back(key);
  return keys;
}

size_t JsonCursor::size() const {
  if (!is_array()) fail_type("an array");
  return value_->size();
}

JsonCursor JsonCursor::item(size_t index) const {
  if (!is_array()) fail_type("an array");
  if (index >= value_->size()) fail("has no item " + std::to_string(index));
  return JsonCursor(&(*value_)[index], place_, path_ + "[" + std::to_string(index) + "]", code_);
}

bool JsonCursor::is_object() const {
  return value_->is_object();
}
bool JsonCursor::is_array() const {
  return value_->is_array();
}
bool JsonCursor::is_string() const {
  return value_->is_string();
}
bool JsonCursor::is_null() const {
  return value_->is_null();
}

const std::string& JsonCursor::string() const {
  if (!is_string()) fail_type("a string");
  return value_->get_ref<const std::string&>();
}

bool JsonCursor::boolean() const {
  if (!value_->is_boolean()) fail_type("true or false");
  return value_->get<bool>();
}

double JsonCursor::number() const {
  if (!value_->is_number()) fail_type("a number");
  return value_->get<double>();
}

int64_t JsonCursor::integer(int64_t min, int64_t max) const {
  if (!value_->is_number_integer()) fail_type("a whole number");
  const bool too_large =
      value_->is_number_unsigned() && value_->get<uint64_t>() > uint64_t{INT64_MAX};
  if (too_large || value_->get<int64_t>() < min || value_->get<int64_t>() > max)
    fail(value_->dump() + " is not in [" + std::to_string(min) + ", " + std::to_string(max) + "]");
  return value_->get<int64_t>();
}

}  // namespace prescript
