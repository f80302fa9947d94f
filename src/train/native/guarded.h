// How C++ tells Rust of an error.
#pragma once

#include <cstring>
#include <exception>

namespace tuneboard {

// Null, or the message of what was thrown; `tuneboard_free_message` takes it back.
template <class F> char *guarded(F body) {
  try {
    body();
    return nullptr;
  } catch (const std::exception &error) {
    return strdup(error.what());
  }
}

} // namespace tuneboard
