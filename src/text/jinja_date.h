#pragma once
// strftime for templates that print the date.

#include <string>

#include "text/jinja_run.h"

namespace prescript::jinja {

/// Whether `date` is a day as YYYY-MM-DD.
bool is_date(const std::string& date);

/// The day in Python's format, midnight, in English. Fails for a code that it does not know.
std::string format_date(Run& run, const std::string& format, const std::string& date);

}  // namespace prescript::jinja
