#pragma once
// What an audit found, as a page that is one file.

#include <string>

#include "audit/result.h"

namespace prescript {

/// HTML. Text of exemplars stands in it only with `show`.
std::string audit_page(const AuditResult& result, bool show);

}  // namespace prescript
