#include "io/csv.h"

#include "io/text_place.h"

namespace prescript {
namespace {

class Parser {
 public:
  Parser(std::string_view text, const std::string& place, ExitCode code)
      : text_(text), place_(text, place, code) {
    place_.require_utf8_text();
  }

  std::vector<CsvRow> rows() {
    constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
    if (text_.starts_with(kByteOrderMark)) at_ = kByteOrderMark.size();
    std::vector<CsvRow> rows;
    while (at_ < text_.size()) {
      CsvRow row = next_row();
      const bool is_empty_line = row.size() == 1 && row[0].text.empty();
      if (!is_empty_line) rows.push_back(std::move(row));
    }
    return rows;
  }

 private:
  CsvRow next_row() {
    CsvRow row;
    while (true) {
      row.push_back(next_cell());
      if (at_ == text_.size()) return row;
      if (text_[at_++] == ',') continue;
      if (text_[at_ - 1] == '\r') ++at_;
      return row;
    }
  }

  bool is_at_end_of_cell() const {
    return at_ == text_.size() || text_[at_] == ',' || text_[at_] == '\n' ||
           text_.substr(at_).starts_with("\r\n");
  }

  CsvCell next_cell() {
    const auto position = place_.position(at_);
    CsvCell cell{"", static_cast<size_t>(position.line), static_cast<size_t>(position.column)};
    if (at_ < text_.size() && text_[at_] == '"') {
      cell.text = quoted();
      return cell;
    }
    const size_t begin = at_;
    for (; !is_at_end_of_cell(); ++at_) {
      if (text_[at_] == '"') {
        place_.fail(at_, "a quote inside of a cell; put the whole cell in quotes, and double it");
      }
    }
    cell.text = text_.substr(begin, at_ - begin);
    return cell;
  }

  std::string quoted() {
    const size_t begin = at_++;
    std::string text;
    while (true) {
      const size_t quote = text_.find('"', at_);
      if (quote == std::string_view::npos) place_.fail(begin, "this quote is never closed");
      text += text_.substr(at_, quote - at_);
      at_ = quote + 1;
      if (!text_.substr(at_).starts_with('"')) break;
      text += '"';
      ++at_;
    }
    if (!is_at_end_of_cell()) place_.fail(at_, "text behind a closing quote; expected a comma");
    return text;
  }

  std::string_view text_;
  TextPlace place_;
  size_t at_ = 0;
};

}  // namespace

std::vector<CsvRow> parse_csv(std::string_view text, const std::string& place, ExitCode code) {
  return Parser(text, place, code).rows();
}

bool is_divided_by_semicolons(const CsvRow& header) {
  return header.size() == 1 && header.front().text.find(';') != std::string::npos;
}

std::string csv_row(std::span<const std::string> cells) {
  std::string row;
  for (const std::string& cell : cells) {
    if (&cell != cells.data()) row += ',';
    if (cell.find_first_of("\",\r\n") == std::string::npos) {
      row += cell;
      continue;
    }
    row += '"';
    for (const char c : cell) row += c == '"' ? std::string("\"\"") : std::string(1, c);
    row += '"';
  }
  return row + '\n';
}

}  // namespace prescript
