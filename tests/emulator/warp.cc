#include "emulator/warp.h"

namespace prescript::emulator {

uint32_t ballot(uint32_t mask, bool predicate, Place place) {
  struct Argument {
    bool predicate;
    uint32_t result;
  };
  Argument argument{predicate, 0};
  const Together together = [](uint32_t lanes, void* const* arguments) {
    uint32_t result = 0;
    for (int lane = 0; lane < 32; ++lane) {
      if ((lanes >> lane & 1) == 0) continue;
      if (static_cast<const Argument*>(arguments[lane])->predicate) result |= 1U << lane;
    }
    for (int lane = 0; lane < 32; ++lane) {
      if ((lanes >> lane & 1) != 0) static_cast<Argument*>(arguments[lane])->result = result;
    }
  };
  meet_in_warp("__ballot_sync", mask, &argument, together, place);
  return argument.result;
}

}  // namespace prescript::emulator
