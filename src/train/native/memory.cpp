#include <c10/core/CachingDeviceAllocator.h>

// The most bytes of a GPU that libtorch's allocator has held at once; 0 if it does not tell. The
// CUDA half is loaded at run time or not at all: only what every libtorch has is named.
extern "C" int64_t tuneboard_gpu_peak(int64_t index) {
  constexpr size_t ALL_POOLS = 0;
  try {
    auto *allocator = c10::getDeviceAllocator(c10::DeviceType::CUDA);
    return allocator->getDeviceStats((c10::DeviceIndex)index).reserved_bytes[ALL_POOLS].peak;
  } catch (...) {
    return 0;
  }
}
