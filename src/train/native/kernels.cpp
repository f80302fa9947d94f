// Compiled once for each instruction set (build.rs); TUNEBOARD_ISA names it.
#include "kernels.h"

#include <cmath>

#include "adam.h"
#include "attention.h"
#include "simd.h"

namespace tuneboard {
inline namespace TUNEBOARD_ISA {
namespace {

// ---- GELU: x times the share of a normal distribution below x ----

// The share, and the slope of the product. Abramowitz & Stegun 7.1.26, off by 1.5e-7 at most; for what is
// stored in bfloat16 their 7.1.25, off by 2.5e-5.
template <class T> V share_below(V x, V &slope) {
  V z = where(x < 0.0f, -x, x) * 0.70710678118654752f, bell = exp<T>(-z * z), tail;
  if (sizeof(T) == sizeof(float)) {
    V t = 1.0f / (1.0f + 0.3275911f * z);
    V p = t * 1.061405429f - 1.453152027f;
    p = p * t + 1.421413741f;
    p = p * t - 0.284496736f;
    p = p * t + 0.254829592f;
    tail = 0.5f * p * t * bell;
  } else {
    V t = 1.0f / (1.0f + 0.47047f * z);
    V p = t * 0.7478556f - 0.0958798f;
    p = p * t + 0.3480242f;
    tail = 0.5f * p * t * bell;
  }
  V share = where(x < 0.0f, tail, 1.0f - tail);
  slope = share + x * bell * 0.39894228040143268f;
  return share;
}

// The tanh approximation: x times sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3).
template <class T> V share_by_tanh(V x, V &slope) {
  const float ROOT = 0.79788456080286536f, CUBE = 0.044715f;
  V square = x * x, negative = x * (square * CUBE + 1.0f) * (-2.0f * ROOT);
  V share = 1.0f / (1.0f + exp<T>(where(negative < 80.0f, negative, splat(80.0f))));
  slope = share + x * share * (1.0f - share) * (square * (3.0f * CUBE) + 1.0f) * (2.0f * ROOT);
  return share;
}

template <class T, bool TANH>
void gelu(const void *x, const float *bias, void *y, void *slope, int64_t width, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; i++) {
    const T *from = (const T *)x + i * width;
    T *to = (T *)y + i * width, *rise = slope ? (T *)slope + i * width : nullptr;
    for (int64_t j = 0; j < width; j += WIDTH) {
      V value = load(from + j) + load(bias + j), incline;
      V share = TANH ? share_by_tanh<T>(value, incline) : share_below<T>(value, incline);
      store(to + j, value * share);
      if (rise) store(rise + j, incline);
    }
  }
}

template <class T>
void gelu_back(const void *slope, const void *y_gradient, void *x_gradient, float *bias_gradient, int64_t width,
               int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; i++) {
    const T *rise = (const T *)slope + i * width, *gradient = (const T *)y_gradient + i * width;
    T *to = (T *)x_gradient + i * width;
    for (int64_t j = 0; j < width; j += WIDTH) {
      V g = load(gradient + j) * load(rise + j);
      store(to + j, g);
      store(bias_gradient + j, load(bias_gradient + j) + g);
    }
  }
}

// ---- Dropout, residual, LayerNorm ----

template <class T>
void drop(const void *x, void *y, double p, uint64_t key, int64_t begin, int64_t end) {
  const Dropout dropout(p, key);
  for (int64_t at = begin; at < end; at += WIDTH) {
    const int64_t count = least(WIDTH, end - at);
    V value = load_some((const T *)x + at, count) * dropout.factors(at);
    store_some((T *)y + at, value, count);
  }
}

template <class T> void norm(const Norm &job, void *y, int64_t begin, int64_t end) {
  const int64_t width = job.width;
  const Dropout dropout(job.dropout, job.key);
  for (int64_t i = begin; i < end; i++) {
    const int64_t first = i * width;
    const T *x = (const T *)job.x + first, *residual = (const T *)job.residual + first;
    T *kept = (T *)job.sum + first, *to = (T *)y + first;
    V total = {};
    for (int64_t j = 0; j < width; j += WIDTH) {
      V value = load(x + j) + load(job.bias + j);
      if (job.dropout > 0.0) value *= dropout.factors(first + j);
      store(kept + j, value + load(residual + j));
      total += load(kept + j);
    }
    const float mean = sum(total) / (float)width;
    V squares = {};
    for (int64_t j = 0; j < width; j += WIDTH) {
      V off = load(kept + j) - mean;
      squares += off * off;
    }
    const float scale = 1.0f / std::sqrt(sum(squares) / (float)width + (float)job.eps);
    for (int64_t j = 0; j < width; j += WIDTH)
      store(to + j, (load(kept + j) - mean) * scale * load(job.weight + j) + load(job.shift + j));
    job.mean[i] = mean;
    job.scale[i] = scale;
  }
}

template <class T>
void norm_back(const Norm &job, const void *y_gradient, void *x_gradient, void *residual_gradient,
               float *sums, int64_t begin, int64_t end) {
  const int64_t width = job.width;
  const Dropout dropout(job.dropout, job.key);
  float *weight_sum = sums, *shift_sum = sums + width, *bias_sum = sums + 2 * width;
  for (int64_t i = begin; i < end; i++) {
    const int64_t first = i * width;
    const T *kept = (const T *)job.sum + first, *gradient = (const T *)y_gradient + first;
    T *dx = (T *)x_gradient + first, *dr = (T *)residual_gradient + first;
    const float mean = job.mean[i], scale = job.scale[i];
    V total = {}, slope = {};
    for (int64_t j = 0; j < width; j += WIDTH) {
      V g = load(gradient + j), unit = (load(kept + j) - mean) * scale;
      store(weight_sum + j, load(weight_sum + j) + g * unit);
      store(shift_sum + j, load(shift_sum + j) + g);
      g *= load(job.weight + j);
      total += g;
      slope += g * unit;
    }
    const float part = sum(total) / (float)width, lean = sum(slope) / (float)width;
    for (int64_t j = 0; j < width; j += WIDTH) {
      V unit = (load(kept + j) - mean) * scale;
      V g = (load(gradient + j) * load(job.weight + j) - part - unit * lean) * scale;
      store(dr + j, g);
      if (job.dropout > 0.0) g *= dropout.factors(first + j);
      store(dx + j, g);
      store(bias_sum + j, load(bias_sum + j) + g);
    }
  }
}

} // namespace
} // namespace TUNEBOARD_ISA

#define TUNEBOARD_JOIN(a, b) a##b
#define TUNEBOARD_TABLE(isa) TUNEBOARD_JOIN(kernels_, isa)

const Kernels &TUNEBOARD_TABLE(TUNEBOARD_ISA)() {
  static const Kernels kernels = {
      {attend<float>, attend<bf16>},       {attend_back<float>, attend_back<bf16>},
      {{gelu<float, false>, gelu<float, true>}, {gelu<bf16, false>, gelu<bf16, true>}},
      {gelu_back<float>, gelu_back<bf16>},
      {drop<float>, drop<bf16>},           {norm<float>, norm<bf16>},
      {norm_back<float>, norm_back<bf16>}, adam,
      adam_idle,                           squares,
  };
  return kernels;
}

} // namespace tuneboard
