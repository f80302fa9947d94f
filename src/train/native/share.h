// Work for all threads of libtorch.
#pragma once

#include <ATen/Parallel.h>

#include <atomic>

namespace tuneboard {

// f(0) to f(tasks - 1), each by whoever is free: cores that others use as well are not waited for. Which
// thread does what differs from time to time, so f must not care.
template <class F> void share(int64_t tasks, F f) {
  std::atomic<int64_t> next{0};
  at::parallel_for(0, std::min<int64_t>(tasks, at::get_num_threads()), 1, [&](int64_t, int64_t) {
    for (int64_t task; (task = next.fetch_add(1, std::memory_order_relaxed)) < tasks;) f(task);
  });
}

} // namespace tuneboard
