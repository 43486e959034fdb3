#include "adapter/position.h"

#include "base/error.h"
#include "io/quote.h"

namespace prescript {

const char* name_of(PromptPosition position) {
  switch (position) {
    case PromptPosition::kStart:
      return "start";
    case PromptPosition::kAfterBos:
      return "after_bos";
    case PromptPosition::kBeforeQuestion:
      return "before_question";
  }
  throw ContractError("unknown position");
}

PromptPosition position_of(const std::string& name, const std::string& place) {
  for (const PromptPosition position :
       {PromptPosition::kStart, PromptPosition::kAfterBos, PromptPosition::kBeforeQuestion}) {
    if (name == name_of(position)) return position;
  }
  throw InputError(
      ExitCode::kModel,
      place + ": position " + quote(name) + " is not one of start, after_bos, before_question");
}

}  // namespace prescript
