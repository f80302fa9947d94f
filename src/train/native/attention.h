// Self-attention's part of the kernels (attention.cpp).
#pragma once

#include "kernels.h"
#include "simd.h"

namespace tuneboard {
inline namespace TUNEBOARD_ISA {

// T is float or bf16.
template <class T> void attend(const Attention &, void *out, int64_t begin, int64_t end);
template <class T>
void attend_back(const Attention &, const void *out_gradient, void *qkv_gradient, float *bias_gradient,
                 int64_t begin, int64_t end);

} // namespace TUNEBOARD_ISA
} // namespace tuneboard
