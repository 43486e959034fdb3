#pragma once
// CSV as spreadsheets write it.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace prescript {

/// One cell, and the line and column (in bytes, from 1) where it begins.
struct CsvCell {
  std::string text;
  size_t line;
  size_t column;
};

using CsvRow = std::vector<CsvCell>;

/// All rows of a file: cells divided by commas, rows by line feeds or CRLF; a cell in double quotes
/// may hold both, and a doubled quote. A byte-order mark and a missing last line end are accepted,
/// empty lines are left out. Throws InputError(code) "place:line:column: ..." for a quote that is
/// never closed, a quote inside of an unquoted cell, text behind a closing quote, and bytes that
/// are not text in UTF-8. Source   RFC 4180.
std::vector<CsvRow> parse_csv(std::string_view text, const std::string& place, ExitCode code);

/// Whether a header is that of a table whose cells are divided by semicolons, as spreadsheets write
/// CSV in countries whose numbers have a decimal comma.
bool is_divided_by_semicolons(const CsvRow& header);

/// A row with its line end (LF); cells are quoted where they must be.
std::string csv_row(std::span<const std::string> cells);

}  // namespace prescript
