// Matrix products with gradients, where AMX or 32 bits make them faster than libtorch's.
#pragma once

#include <ATen/core/Tensor.h>

namespace tuneboard {

#if defined(__x86_64__)
// The parts of AVX-512 that our kernels are compiled for.
inline bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif

// Whether this processor has AMX with bfloat16, and this process may use it.
bool has_amx();

// Whether `product` multiplies bfloat16 in 32 bits. Intel's processors without AMX, or whose AMX a virtual machine
// hides, do that at twice the rate of bfloat16 (docs/benchmarks.md). A measurement would not decide the same always.
bool widens();

// x [.., inner] times W [inner, outputs], or times W [outputs, inner] transposed if `across`; bfloat16.
at::Tensor product(const at::Tensor &x, const at::Tensor &weight, bool across);

} // namespace tuneboard
