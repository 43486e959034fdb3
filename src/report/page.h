#pragma once
// A page that is one file: nothing is loaded, no script runs, and it prints.

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "report/html.h"
#include "report/line_chart.h"
#include "report/table.h"

namespace prescript {

/// Built from top to bottom; every text is escaped. The page forbids its browser to load or run
/// anything (Content-Security-Policy), whatever the texts hold.
class Page {
 public:
  /// `subtitle` stands under the title.
  Page(std::string_view title, std::string_view subtitle);

  /// A section with a heading, which the page's contents list.
  void section(std::string_view heading);
  void subsection(std::string_view heading);
  void paragraph(std::string_view text);
  /// A paragraph about how to read what is near it.
  void note(std::string_view text);
  void list(std::span<const std::string> items);
  /// Names with their values.
  void facts(std::span<const std::pair<std::string, std::string>> facts);
  void table(const Table& table);
  /// Charts side by side where there is room.
  void charts(std::span<const LineChart> charts);
  /// Texts with their names, line ends kept: a question and its answers.
  void texts(std::string_view heading, std::span<const std::pair<std::string, std::string>> texts);
  /// A text as it is in a file, in letters of equal width.
  void preformatted(std::string_view text);

  /// The whole page.
  std::string html() const;

 private:
  std::string title_;
  std::string subtitle_;
  std::vector<std::string> headings_;
  std::string body_;
};

}  // namespace prescript
