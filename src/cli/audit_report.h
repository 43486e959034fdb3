#pragma once
// What an audit found, as text for people and as JSON.

#include <nlohmann/json_fwd.hpp>

#include "audit/result.h"

namespace prescript {

/// Text of exemplars stands in neither unless `show`.
void write_audit(const AuditResult& result, bool show);
nlohmann::ordered_json audit_json(const AuditResult& result, bool show);

/// "at 1 % false positives", or what fewer than 100 non-members show in its place.
std::string at_false_positives(size_t num_non_members);

/// "by its hash the file that was trained on".
std::string describe_members(const AuditResult& result);

/// What stands beside non-members that validated the training.
inline constexpr const char* kChoseStep =
    "they chose the step of the adapter, which hides members a little; --non-members names others";

/// "epsilon 3.214 at delta 1e-05, by the accountant".
std::string describe_privacy(const AuditResult& result);

/// With the fewest digits that read back.
std::string decimal(double value);

/// What no figure of an audit says, one sentence each.
const std::vector<std::string>& what_an_audit_does_not_show();

}  // namespace prescript
