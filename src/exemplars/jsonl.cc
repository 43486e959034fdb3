#include "exemplars/jsonl.h"

#include <algorithm>

#include "base/error.h"

namespace prescript {

void for_each_jsonl_line(std::string_view bytes,
                         const std::string& path,
                         const std::function<void(std::string_view, size_t)>& line) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (bytes.starts_with("\xff\xfe") || bytes.starts_with("\xfe\xff")) {
    throw InputError(ExitCode::kData, path + ": the text is UTF-16; save it as UTF-8");
  }
  if (bytes.starts_with(kByteOrderMark)) bytes.remove_prefix(kByteOrderMark.size());
  for (size_t number = 1; !bytes.empty(); ++number) {
    const std::string_view text = bytes.substr(0, bytes.find('\n'));
    bytes.remove_prefix(std::min(text.size() + 1, bytes.size()));
    if (text.find_first_not_of(" \t\r") != std::string_view::npos) line(text, number);
  }
}

}  // namespace prescript
