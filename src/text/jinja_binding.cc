#include "text/jinja_binding.h"

#include <algorithm>
#include <utility>

namespace prescript::jinja {
namespace {

using Kind = Expression::Kind;
using Problem = std::optional<std::string>;

Problem bind(Expression& call, const Builtin* builtin, const std::string& what) {
  if (builtin == nullptr) return what;
  const auto& parameters = builtin->parameters;
  if (call.operands.size() > parameters.size() + 1) return "so many arguments of " + what;
  call.operands.resize(parameters.size() + 1);
  for (auto& [keyword, value] : call.keywords) {
    std::string argument = "the argument '";
    argument.append(keyword).append("' of ").append(what);
    const auto found = std::find(parameters.begin(), parameters.end(), keyword);
    if (found == parameters.end()) return argument;
    ExpressionPointer& place = call.operands[static_cast<size_t>(found - parameters.begin()) + 1];
    if (place) return argument.append(", given twice,");
    place = std::move(value);
  }
  call.keywords.clear();
  for (size_t i = 1; i <= builtin->num_required; ++i) {
    if (!call.operands[i]) return what + " without '" + std::string(parameters[i - 1]) + "'";
  }
  call.builtin = builtin;
  return std::nullopt;
}

/// Removes operands[1], which must be a literal string, and returns it.
std::optional<std::string> take_literal(Expression& call) {
  if (call.operands.size() < 2 || call.operands[1]->kind != Kind::kConstant) return std::nullopt;
  const std::string* text = as_text(call.operands[1]->value);
  if (text == nullptr) return std::nullopt;
  std::string literal = *text;
  call.operands.erase(call.operands.begin() + 1);
  return literal;
}

/// map("filter", arguments) or map(attribute="name").
Problem bind_map(Expression& call) {
  call.kind = Kind::kMap;
  const bool is_attribute = call.operands.size() == 1 && call.keywords.size() == 1 &&
                            call.keywords[0].first == "attribute";
  if (is_attribute) {
    call.operands.push_back(std::move(call.keywords[0].second));
    call.keywords.clear();
  }
  const auto name = take_literal(call);
  if (!name || name->empty()) return "this form of the filter 'map'";
  if (!is_attribute) return bind(call, find_filter(*name), "the filter '" + *name + "'");
  call.name = *name;
  return std::nullopt;
}

/// select("test", arguments), selectattr("name", "test", arguments), and reject of both.
Problem bind_select(Expression& call, const std::string& name) {
  call.kind = Kind::kSelect;
  call.negate = name.starts_with("reject");
  if (name.ends_with("attr")) {
    const auto attribute = take_literal(call);
    if (!attribute || attribute->empty()) return "this form of the filter '" + name + "'";
    call.name = *attribute;
  }
  if (call.operands.size() == 1 && call.keywords.empty()) return std::nullopt;
  const auto test = take_literal(call);
  if (!test) return "this form of the filter '" + name + "'";
  return bind_test(call, *test);
}

}  // namespace

std::optional<std::string> bind_filter(Expression& call, const std::string& name) {
  if (name == "map") return bind_map(call);
  if (name == "select" || name == "reject" || name == "selectattr" || name == "rejectattr")
    return bind_select(call, name);
  return bind(call, find_filter(name), "the filter '" + name + "'");
}

std::optional<std::string> bind_test(Expression& call, const std::string& name) {
  return bind(call, find_test(name), "the test '" + name + "'");
}

std::optional<std::string> bind_method(Expression& call, const std::string& name) {
  return bind(call, find_method(name), "the method '" + name + "'");
}

}  // namespace prescript::jinja
