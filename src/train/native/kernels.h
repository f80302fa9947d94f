// The CPU kernels, as a table of functions for each instruction set. Each works on a part of its
// job, so that the caller decides about threads. No libtorch here.
#pragma once

#include <cstdint>

namespace tuneboard {

// Multi-head self-attention of short texts. Storage type of every `void *`: float or bfloat16.
struct Attention {
  int64_t batch, length, heads, size; // `size`: width of a head, a multiple of 16.
  bool causal;
  const void *qkv;       // [batch, length, 3 * heads * size]: queries, keys, values, without bias
  const float *bias;     // [3 * heads * size]
  const float *key_bias; // [batch, length], added to the scores; null = nothing is padded
  double dropout;
  uint64_t key;
  void *probabilities; // [batch, heads, length, round_up(length, 16)], before dropout
};

// y = LayerNorm(dropout(x + bias) + residual).
struct Norm {
  int64_t width;     // a multiple of 16
  const void *x;     // [rows, width]
  const float *bias; // [width]
  const void *residual;
  const float *weight, *shift; // [width]
  double dropout, eps;
  uint64_t key;
  void *sum;           // [rows, width]: what is normalised
  float *mean, *scale; // [rows]
};

// One weight of an AdamW step.
struct AdamSlot {
  float *weight, *mean, *square;
  const void *gradient;
  void *copy; // bfloat16 copy of the weight that is kept in step; null = none
  int64_t size;
  double lr, decay;
  bool half_gradient; // the gradient is bfloat16
};

struct AdamStep {
  double beta1, beta2, eps, correction1, correction2, scale; // gradients are times `scale`
};

// A step of a table's rows that had no gradients.
struct IdleStep {
  double lr;
  AdamStep step;
};

// What each instruction set offers; T is float (`f`) or bfloat16 (`h`).
struct Kernels {
  // Pairs of text and head from `begin` to `end`. `out`: [batch, length, heads * size].
  void (*attend[2])(const Attention &, void *out, int64_t begin, int64_t end);
  // `bias_gradient` [3 * heads * size] is added to.
  void (*attend_back[2])(const Attention &, const void *out_gradient, void *qkv_gradient,
                         float *bias_gradient, int64_t begin, int64_t end);
  // Rows `begin` to `end` of y = gelu(x + bias), by the error function or by tanh, and of its slope if
  // asked for.
  void (*gelu[2][2])(const void *x, const float *bias, void *y, void *slope, int64_t width, int64_t begin,
                  int64_t end);
  void (*gelu_back[2])(const void *slope, const void *y_gradient, void *x_gradient, float *bias_gradient,
                       int64_t width, int64_t begin, int64_t end);
  // Elements `begin` (a multiple of 16) to `end` of y = dropout(x).
  void (*drop[2])(const void *x, void *y, double p, uint64_t key, int64_t begin, int64_t end);
  void (*norm[2])(const Norm &, void *y, int64_t begin, int64_t end);
  // `sums`: [3][width], gradients of weight, shift and bias; added to.
  void (*norm_back[2])(const Norm &, const void *y_gradient, void *x_gradient,
                       void *residual_gradient, float *sums, int64_t begin, int64_t end);
  // Elements `begin` to `end` of a slot.
  void (*adam)(const AdamSlot &, const AdamStep &, int64_t begin, int64_t end);
  // The same for several steps without gradients, one after the other.
  void (*adam_idle)(const AdamSlot &, const IdleStep *, int64_t steps, int64_t begin, int64_t end);
  // Sum of squares of a part of a gradient.
  double (*squares)(const AdamSlot &, int64_t begin, int64_t end);
};

const Kernels &kernels_portable();
const Kernels &kernels_avx2();
const Kernels &kernels_avx512();
const Kernels &kernels_amx();

} // namespace tuneboard
