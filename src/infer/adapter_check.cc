// Whether an adapter belongs to a base model.

#include "base/hash.h"
#include "infer/base_model_files.h"

namespace prescript {
namespace {

[[noreturn]] void refuse(const std::string& place, const std::string& message) {
  throw InputError(ExitCode::kModel, place + ": " + message);
}

std::string trained_on(const AdapterIdentity& identity) {
  return identity.base_model.empty() ? "" : " (it was trained on " + identity.base_model + ")";
}

}  // namespace

std::optional<std::string> check_adapter_fits(const Adapter& adapter,
                                              const std::string& place,
                                              const BaseModelFiles& base,
                                              bool allow_other_base) {
  const AdapterIdentity& wanted = adapter.identity;
  if (adapter.prompt.hidden_size != base.config.hidden_size) {
    refuse(place,
           "its virtual tokens have width " + std::to_string(adapter.prompt.hidden_size) + ", " +
               base.path + " has width " + std::to_string(base.config.hidden_size) +
               "; use the base model it was trained on" + trained_on(wanted));
  }
  if (wanted.base_hash.empty()) {
    return place + ": the adapter does not say which base model it was trained on (it was not " +
           "written by prescript); nothing proves that it belongs to " + base.path;
  }
  const AdapterIdentity found = base.identity();
  if (wanted.tokenizer_hash != found.tokenizer_hash) {
    refuse(place,
           "it was trained with another tokenizer than that of " + base.path +
               "; use the base model it was trained on" + trained_on(wanted));
  }
  if (wanted.architecture != found.architecture) {
    refuse(place,
           "it was trained on another architecture: " + wanted.architecture + "; " + base.path +
               " is " + found.architecture);
  }
  const bool other_base = wanted.base_hash != found.base_hash;
  const bool other_template =
      !wanted.template_hash.empty() && wanted.template_hash != found.template_hash;
  if (!other_base && !other_template) return std::nullopt;
  const std::string difference =
      other_base ? "it was trained on another base model than " + base.path + trained_on(wanted)
                 : "it was trained with another chat template than that of " + base.path;
  if (!allow_other_base) {
    refuse(
        place,
        difference + "; architecture and tokenizer agree: --allow-other-base uses it all the same");
  }
  return place + ": " + difference + "; used all the same (--allow-other-base)";
}

}  // namespace prescript
