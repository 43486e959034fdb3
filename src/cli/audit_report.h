#pragma once
// What an audit found, as text for people and as JSON.

#include <nlohmann/json_fwd.hpp>

#include "audit/result.h"

namespace prescript {

/// Text of exemplars stands in neither unless `show`.
void write_audit(const AuditResult& result, bool show);
nlohmann::ordered_json audit_json(const AuditResult& result, bool show);

/// With the fewest digits that read back.
std::string decimal(double value);

/// What no figure of an audit says, one sentence each.
const std::vector<std::string>& what_an_audit_does_not_show();

}  // namespace prescript
