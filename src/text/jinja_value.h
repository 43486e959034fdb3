#pragma once
// What a chat template computes with: Python's values, less everything that could reach the host.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "text/jinja_run.h"

namespace prescript::jinja {

/// What a missing name, attribute or item gives. Prints as nothing; most other uses fail.
struct Undefined {
  const std::string* name = nullptr;  // as the template writes it, for messages
};
struct None {};
struct Sequence;
struct Dict;
struct Namespace;
struct Macro;
/// The functions that every template sees.
enum class Function { kRange, kNamespace, kDict, kRaiseException, kStrftimeNow };

/// Values are immutable but for namespaces, which the interpreter owns: nothing can form a cycle.
using Value = std::variant<Undefined,
                           None,
                           bool,
                           int64_t,
                           double,
                           std::shared_ptr<const std::string>,  // UTF-8
                           std::shared_ptr<const Sequence>,
                           std::shared_ptr<const Dict>,
                           Namespace*,
                           const Macro*,
                           Function>;

/// In the order of what they can do: a range has items and a length, but is no list; a view stands
/// for Python's dict views, a stream for its generators and iterators: always true, without a
/// length, and to be read once.
enum class SequenceKind { kList, kTuple, kRange, kView, kStream };

struct Sequence {
  SequenceKind kind;
  std::vector<Value> items;
  size_t depth;  // of lists in lists
};

struct Dict {
  std::vector<std::pair<Value, Value>> entries;  // in the order of insertion, keys unique
  size_t depth;
};

/// What `namespace()` makes: the only thing that a loop can change for what comes after it.
struct Namespace {
  std::map<std::string, Value> attributes;
};

Value text_value(std::string text);
/// The same, spending what it costs.
Value text_value(Run& run, std::string text);
Value sequence_value(Run& run, SequenceKind kind, std::vector<Value> items);
/// A later entry of the same key takes the place of an earlier one. Fails for a key that is a list
/// or a dict.
Value dict_value(Run& run, const std::vector<std::pair<Value, Value>>& entries);

inline bool is_undefined(const Value& value) {
  return std::holds_alternative<Undefined>(value);
}
/// Null unless the value is that.
const std::string* as_text(const Value& value);
const Sequence* as_sequence(const Value& value);
const Dict* as_dict(const Value& value);

/// A number as Python calculates and compares with it: true and false are 1 and 0.
std::optional<int64_t> as_whole(const Value& value);
std::optional<double> as_number(const Value& value);

/// The entry's value, or null.
const Value* find_entry(Run& run, const Dict& dict, const Value& key);

/// "a string", "a list": for messages, which never show a value.
std::string kind_of(const Value& value);
/// Why an undefined value cannot be used.
std::string undefined_message(const Value& value);

/// Python's bool(), ==, len() and iter().
bool truth(const Value& value);
bool equal(Run& run, const Value& left, const Value& right);
int64_t length(Run& run, const Value& value);
std::vector<Value> items_of(Run& run, const Value& value);

/// Appends Python's str(). Fails for what Python prints with an address, and for text beyond ASCII
/// inside of a list or dict, whose form depends on Unicode's tables.
void append_text(Run& run, const Value& value, std::string& out);
std::string to_text(Run& run, const Value& value);
/// Python's repr() of a float: the shortest digits that read back as the same number.
std::string float_text(double number);

}  // namespace prescript::jinja
