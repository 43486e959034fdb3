#include "text/normal_form.h"

#include <unicode/bytestream.h>
#include <unicode/edits.h>
#include <unicode/normalizer2.h>
#include <unicode/uniset.h>

#include "base/error.h"

namespace prescript {
namespace {

void check(UErrorCode error, const char* call) {
  if (U_FAILURE(error)) throw DeviceError(std::string(call) + ": " + u_errorName(error));
}

/// ICU's normaliser, restricted to the characters of Unicode 9.
class Normalizer {
 public:
  explicit Normalizer(const icu::Normalizer2* (*instance)(UErrorCode&)) {
    UErrorCode error = U_ZERO_ERROR;
    characters_.applyPattern(UNICODE_STRING_SIMPLE("[:age=9.0:]"), error);
    check(error, "UnicodeSet");
    characters_.freeze();
    all_ = instance(error);
    check(error, "Normalizer2");
  }

  std::string normalize(std::string_view text, icu::Edits& edits) const {
    UErrorCode error = U_ZERO_ERROR;
    const icu::FilteredNormalizer2 normalizer(*all_, characters_);
    std::string normalized;
    icu::StringByteSink<std::string> sink(&normalized);
    const icu::StringPiece piece(text.data(), static_cast<int32_t>(text.size()));
    normalizer.normalizeUTF8(0, piece, sink, &edits, error);
    check(error, "normalizeUTF8");
    return normalized;
  }

 private:
  icu::UnicodeSet characters_;
  const icu::Normalizer2* all_ = nullptr;
};

const Normalizer& normalizer_of(NormalForm form) {
  static const Normalizer nfc(icu::Normalizer2::getNFCInstance);
  static const Normalizer nfkc(icu::Normalizer2::getNFKCInstance);
  return form == NormalForm::kNfc ? nfc : nfkc;
}

}  // namespace

std::vector<NormalizedSpan> normalized_spans(std::string_view text, NormalForm form) {
  icu::Edits edits;
  const std::string normalized = normalizer_of(form).normalize(text, edits);
  std::vector<NormalizedSpan> spans;
  UErrorCode error = U_ZERO_ERROR;
  for (icu::Edits::Iterator edit = edits.getFineIterator(); edit.next(error);) {
    spans.push_back({static_cast<size_t>(edit.sourceIndex()),
                     edit.hasChange() != 0,
                     normalized.substr(static_cast<size_t>(edit.destinationIndex()),
                                       static_cast<size_t>(edit.newLength()))});
  }
  check(error, "Edits");
  return spans;
}

}  // namespace prescript
