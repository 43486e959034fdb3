#pragma once
// Patterns of identifying data in texts. They find what has a shape, no more: a name without a
// title, a place, a rare disease with an age and a town have none.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace prescript {

/// What identifies a person, as far as a pattern tells: of the eighteen kinds that HIPAA's Safe
/// Harbor rule names (45 CFR 164.514(b)(2)) those that have a shape, and the British NHS number.
enum class IdentifierKind {
  kEmailAddress,
  kWebAddress,
  kIpAddress,
  kPhoneNumber,
  kDateOfBirth,     // a full date behind "born", "DOB", "date of birth"
  kDate,            // any other with day, month and year
  kAgeOver89,       // "93-year-old"
  kRecordNumber,    // a number behind "MRN", "patient ID", "hospital number", ...
  kSocialSecurity,  // US: AAA-GG-SSSS, in the ranges that are issued
  kNhsNumber,       // ten digits whose check digit is right
  kNameWithTitle,   // "Mr Smith", "Dr. J. Jones"
  kPostalAddress,   // number and street, US state and ZIP code, UK postcode
};

/// "phone number".
const char* name_of(IdentifierKind kind);

/// Where it stands in the text: bytes [begin, end).
struct Identifier {
  IdentifierKind kind;
  size_t begin;
  size_t end;

  bool operator==(const Identifier&) const = default;
};

/// By place; they do not overlap: of two that do, the kind that is named first above wins, but a
/// date of birth over its date. Doses, ranges, laboratory values, scores and years are none.
/// `text` is valid UTF-8.
std::vector<Identifier> find_identifiers(std::string_view text);

/// What no pattern finds, in one sentence for people who read a report.
inline constexpr const char* kNotDetected =
    "names without a title, initials, places, employers, relatives, dates without a year, and rare "
    "diseases or events that single somebody out; only people who read the texts find them";

}  // namespace prescript
