#include "base/secret_seed.h"

#include <sys/random.h>

#include "base/error.h"

namespace prescript {

uint64_t secret_seed() {
  uint64_t seed = 0;
  if (::getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) {
    throw DeviceError("getrandom: the system has no random numbers");
  }
  return seed;
}

}  // namespace prescript
