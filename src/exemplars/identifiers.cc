#include "exemplars/identifiers.h"

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "text/regex.h"

namespace prescript {
namespace {

const std::string kMonth =
    "(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|"
    "Sep(?:t(?:ember)?)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\\.?";

// Two digits of a year with slashes alone: 1.2.10 is a section, 5-10-15 a range.
const std::string kDatePattern =
    "(?:"
    "(?:19|20)\\d\\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\\d|3[01])"
    "|(?:0?[1-9]|1[0-2])([/.-])(?:0?[1-9]|[12]\\d|3[01])\\g{-1}(?:19|20)\\d\\d"
    "|(?:0?[1-9]|[12]\\d|3[01])([/.-])(?:0?[1-9]|1[0-2])\\g{-1}(?:19|20)\\d\\d"
    "|(?:0?[1-9]|1[0-2])/(?:0?[1-9]|[12]\\d|3[01])/\\d\\d"
    "|(?:0?[1-9]|[12]\\d|3[01])/(?:0?[1-9]|1[0-2])/\\d\\d"
    "|(?:0?[1-9]|[12]\\d|3[01])(?:st|nd|rd|th)?[ -](?:of )?" +
    kMonth +
    ",?[ -](?:19|20)\\d\\d"
    "|" +
    kMonth + " (?:0?[1-9]|[12]\\d|3[01])(?:st|nd|rd|th)?,? (?:19|20)\\d\\d)";

// What no number of these kinds has before or behind it: more of a number.
const std::string kNumberBegin = "(?<![\\w.,/+-])";
const std::string kNumberEnd = "(?![\\w/-]|[.,]\\d)";

struct Pattern {
  IdentifierKind kind;
  Regex regex;
};

const std::vector<Pattern>& patterns() {
  static const std::vector<Pattern> all = [] {
    std::vector<Pattern> made;
    const auto add = [&](IdentifierKind kind, const std::string& pattern) {
      made.push_back({kind, Regex(pattern, name_of(kind))});
    };
    add(IdentifierKind::kEmailAddress,
        "[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\\.){1,8}[A-Za-z]{2,24}\\b");
    add(IdentifierKind::kWebAddress,
        "(?i)\\b(?:(?:https?|ftp)://[^\\s<>\"]{3,}|www\\.[a-z0-9-]+\\.[^\\s<>\"]{2,})");
    add(IdentifierKind::kIpAddress,
        kNumberBegin + "(?:(?:25[0-5]|2[0-4]\\d|1?\\d?\\d)\\.){3}(?:25[0-5]|2[0-4]\\d|1?\\d?\\d)" +
            kNumberEnd);
    add(IdentifierKind::kDateOfBirth,
        "(?i)\\b(?:DOB|D\\.O\\.B\\.?|date of birth|birth ?date|birthday|born)\\b"
        "[:,.]?(?: is| was| on| in| the){0,2}[ :]{0,2}" +
            kDatePattern + kNumberEnd);
    add(IdentifierKind::kDate, "(?i)" + kNumberBegin + "\\b" + kDatePattern + kNumberEnd);
    add(IdentifierKind::kAgeOver89,
        "(?i)" + kNumberBegin + "(?:9\\d|1[01]\\d)(?:[ -]years?[ -](?:old|of age)|[ -]?y/?o)\\b");
    add(IdentifierKind::kAgeOver89,
        "(?i)\\bage[ds]?(?: of| is|:)? ?(?:9\\d|1[01]\\d)" + kNumberEnd);
    add(IdentifierKind::kAgeOver89,
        "(?i)\\bin (?:his|her|their|my) (?:early |mid-?|late )?(?:(?:9|1[01])0s|nineties)\\b");
    add(IdentifierKind::kRecordNumber,
        "(?i)\\b(?:MRN|(?:(?:medical )?record|hospital|patient|chart|case|admission|accession|"
        "insurance|policy|account|NHS|member|passport)(?:'s)? (?:ID|number|no\\.?|nr\\.?|#))"
        "(?: is| was)?[ :#]{0,3}(?=[A-Z/-]{0,6}\\d)[A-Z0-9][A-Z0-9/-]{3,}\\b");
    add(IdentifierKind::kSocialSecurity,
        kNumberBegin + "(?!000|666|9)\\d{3}-(?!00)\\d\\d-(?!0000)\\d{4}" + kNumberEnd);
    add(IdentifierKind::kNhsNumber, kNumberBegin + "\\d{3}([ -]?)\\d{3}\\g{1}\\d{4}" + kNumberEnd);
    // International with +; North American with its two divisions; British and others that begin
    // with 0; any that follows a word for it.
    add(IdentifierKind::kPhoneNumber,
        "(?<![\\w.,/+-])(?:"
        "\\+[1-9]\\d{0,2}(?:[ .-]?\\(?\\d{1,5}\\)?){2,5}"
        "|(?:1[ .-])?(?:\\([2-9]\\d\\d\\) ?|[2-9]\\d\\d[.-])[2-9]\\d\\d[.-]\\d{4}"
        "|\\(?0[1-9]\\d{1,3}\\)?[ -]\\d{3,4}[ -]?\\d{3,4}"
        "|(?i:1-8(?:00|33|44|55|66|77|88)-[0-9A-Z-]{7,12}))" +
            kNumberEnd);
    add(IdentifierKind::kPhoneNumber,
        "(?i)\\b(?:tel|telephone|phone|mobile|cell|fax|call|text)(?: (?:number|no))?[ .:]{0,2}"
        "(?:is |me at |us at |me on |on |at )?\\(?\\d(?:[ .()/-]{0,3}\\d){6,14}" +
            kNumberEnd);
    add(IdentifierKind::kNameWithTitle,
        "\\b(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Professor)\\.? (?:\\p{Lu}\\.? ?){0,2}"
        "(?:van |von |de |der |den |la |le |al-|O['’]|Mc|Mac)?\\p{Lu}\\p{L}*\\p{Ll}[\\p{L}'’-]*");
    add(IdentifierKind::kPostalAddress,
        "(?<![\\w.,/+-])\\d{1,5}[A-Za-z]? (?:\\p{Lu}[\\p{L}'’.-]* ){1,3}"
        "(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Boulevard|Blvd|Court|Place|Square|Terrace|"
        "Crescent|Way)\\b");
    add(IdentifierKind::kPostalAddress, ", [A-Z]{2},? \\d{5}(?:-\\d{4})?" + kNumberEnd);
    add(IdentifierKind::kPostalAddress,
        "\\b(?!NE|PO)(?:[A-PR-UWYZ][A-HK-Y]?\\d[A-Z\\d]?) \\d[ABD-HJLNP-UW-Z]{2}\\b");
    return made;
  }();
  return all;
}

/// The digits of a number, less its marks.
std::string digits_of(std::string_view text) {
  std::string digits;
  std::copy_if(text.begin(), text.end(), std::back_inserter(digits), [](char c) {
    return c >= '0' && c <= '9';
  });
  return digits;
}

/// Modulus 11 (NHS Data Dictionary, "NHS NUMBER"): weights 10 to 2, the tenth digit checks.
bool is_nhs_number(std::string_view text) {
  const std::string digits = digits_of(text);
  int sum = 0;
  for (size_t i = 0; i < 9; ++i) sum += (10 - static_cast<int>(i)) * (digits[i] - '0');
  const int check = (11 - sum % 11) % 11;
  return check != 10 && check == digits[9] - '0';
}

/// What the shape alone does not tell.
bool is_valid(IdentifierKind kind, std::string_view text) {
  if (kind == IdentifierKind::kNhsNumber) return is_nhs_number(text);
  if (kind != IdentifierKind::kPhoneNumber) return true;
  const size_t num_digits = digits_of(text).size();  // of ITU-T E.164 at most 15
  return text.starts_with("1-8") || (num_digits >= 7 && num_digits <= 15);
}

}  // namespace

const char* name_of(IdentifierKind kind) {
  switch (kind) {
    case IdentifierKind::kEmailAddress:
      return "email address";
    case IdentifierKind::kWebAddress:
      return "web address";
    case IdentifierKind::kIpAddress:
      return "IP address";
    case IdentifierKind::kPhoneNumber:
      return "phone number";
    case IdentifierKind::kDateOfBirth:
      return "date of birth";
    case IdentifierKind::kDate:
      return "full date";
    case IdentifierKind::kAgeOver89:
      return "age over 89";
    case IdentifierKind::kRecordNumber:
      return "record number";
    case IdentifierKind::kSocialSecurity:
      return "US social security number";
    case IdentifierKind::kNhsNumber:
      return "NHS number";
    case IdentifierKind::kNameWithTitle:
      return "name with a title";
    case IdentifierKind::kPostalAddress:
      return "postal address";
  }
  throw ContractError("unknown kind of identifier");
}

std::vector<Identifier> find_identifiers(std::string_view text) {
  Regex::Workspace workspace;
  std::vector<Identifier> found;
  const auto overlaps = [&](const TextRange& range) {
    return std::any_of(found.begin(), found.end(), [&](const Identifier& other) {
      return range.begin < other.end && other.begin < range.end;
    });
  };
  for (const Pattern& pattern : patterns()) {
    std::vector<TextRange> matches;
    pattern.regex.find_all(text, workspace, matches);
    for (const TextRange& match : matches) {
      const auto matched = text.substr(match.begin, match.end - match.begin);
      if (overlaps(match) || !is_valid(pattern.kind, matched)) continue;
      found.push_back({pattern.kind, match.begin, match.end});
    }
  }
  std::sort(found.begin(), found.end(), [](const Identifier& a, const Identifier& b) {
    return a.begin < b.begin;
  });
  return found;
}

}  // namespace prescript
