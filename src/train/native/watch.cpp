// What libtorch is asked for, and what waits for a GPU, by libtorch's own profiler.
#include <map>
#include <string>

#include <torch/csrc/autograd/profiler_kineto.h>
#include <torch/csrc/profiler/orchestration/observer.h>

#include "guarded.h"

namespace profiler = torch::autograd::profiler;
using torch::profiler::impl::ActivityType;
using torch::profiler::impl::ProfilerConfig;
using torch::profiler::impl::ProfilerState;

// As `Asked` in watch.rs.
struct Asked {
  int64_t operations, launches, waits;
};

namespace {

bool begins(const std::string &name, const char *with) { return name.rfind(with, 0) == 0; }

// Operations whose result is a number or a shape on the host, and CUDA's own ways of waiting.
bool waits(const std::string &name) {
  static const char *const ALL[] = {"aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::equal",
                                    "aten::_unique2", "aten::unique_dim", "aten::unique_consecutive",
                                    "cudaStreamSynchronize", "cudaEventSynchronize"};
  for (auto *one : ALL)
    if (name == one) return true;
  return false;
}

} // namespace

extern "C" {

// From now on all is counted that this thread, and the backward passes it starts, ask for.
char *tuneboard_watch(bool on_gpu) {
  return tuneboard::guarded([&] {
    std::set<ActivityType> what{ActivityType::CPU};
    if (on_gpu) what.insert(ActivityType::CUDA);
    ProfilerConfig config(ProfilerState::KINETO);
    profiler::prepareProfiler(config, what);
    profiler::enableProfiler(config, what, {at::RecordScope::FUNCTION, at::RecordScope::BACKWARD_FUNCTION});
  });
}

// Ends it. `names` becomes a list of what waited, with how often, to be freed as messages are.
char *tuneboard_watched(Asked *asked, char **names) {
  return tuneboard::guarded([&] {
    auto result = profiler::disableProfiler();
    std::map<std::string, int64_t> waiting;
    *asked = {};
    for (const auto &event : result->events()) {
      std::string name = event.name();
      bool is_there = event.deviceType() != at::DeviceType::CPU;
      if (is_there) asked->launches += !begins(name, "Memcpy") && !begins(name, "Memset");
      else if (begins(name, "aten::")) asked->operations++;
      if (!is_there && waits(name)) {
        asked->waits++;
        waiting[name]++;
      }
    }
    std::string list;
    for (const auto &[name, times] : waiting) list += (list.empty() ? "" : ", ") + name + " " + std::to_string(times);
    *names = strdup(list.c_str());
  });
}
}
