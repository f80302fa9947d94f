// Sixteen floats at a time, in GCC's and clang's vector extensions: one text for AVX-512, AVX2 and
// machines without either. Storage is float or bfloat16, arithmetic is float.
#pragma once

#include <cstdint>
#include <cstring>

#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

namespace tuneboard {
inline namespace TUNEBOARD_ISA {

constexpr int64_t WIDTH = 16;

typedef float V __attribute__((vector_size(64)));
typedef int32_t VI __attribute__((vector_size(64)));
typedef uint32_t VU __attribute__((vector_size(64)));
typedef uint16_t VH __attribute__((vector_size(32)));

// bfloat16: the upper half of a float.
struct bf16 {
  uint16_t bits;
};

// No templates of the standard library here: the linker keeps one copy of each for all instruction
// sets, and it may be the one that this machine cannot run.
static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static inline V splat(float x) { return x - V{}; }

static inline V load(const float *from) {
  V x;
  std::memcpy(&x, from, sizeof x);
  return x;
}

static inline V load(const bf16 *from) {
  VH half;
  std::memcpy(&half, from, sizeof half);
  return (V)(__builtin_convertvector(half, VU) << 16);
}

static inline void store(float *to, V x) { std::memcpy(to, &x, sizeof x); }

static inline void store(bf16 *to, V x) {
  // To nearest, ties to even, as libtorch rounds.
#ifdef __AVX512BF16__
  __m256bh half = _mm512_cvtneps_pbh((__m512)x);
#else
  VU bits = (VU)x;
  bits += 0x7fff + ((bits >> 16) & 1);
  VH half = __builtin_convertvector(bits >> 16, VH);
#endif
  std::memcpy(to, &half, sizeof half);
}

// Some floats from where fewer than 16 may be left.
template <class T> static inline V load_some(const T *from, int64_t count) {
  if (count >= WIDTH) return load(from);
  T part[WIDTH] = {};
  std::memcpy(part, from, count * sizeof(T));
  return load(part);
}

template <class T> static inline void store_some(T *to, V x, int64_t count) {
  if (count >= WIDTH) return store(to, x);
  T part[WIDTH];
  store(part, x);
  std::memcpy(to, part, count * sizeof(T));
}

typedef float V8 __attribute__((vector_size(32)));
typedef float V4 __attribute__((vector_size(16)));

static inline V where(VI condition, V yes, V no) { return condition ? yes : no; }

static inline V greater(V a, V b) { return where(a > b, a, b); }

// Four numbers whose total is that of all sixteen.
template <class F> static inline V4 fold(V x, F two) {
  V8 low, high;
  std::memcpy(&low, &x, 32);
  std::memcpy(&high, (const char *)&x + 32, 32);
  V8 eight = two(low, high);
  V4 near, far;
  std::memcpy(&near, &eight, 16);
  std::memcpy(&far, (const char *)&eight + 16, 16);
  return two(near, far);
}

static inline float sum(V x) {
  V4 parts = fold(x, [](auto a, auto b) { return a + b; });
  return (parts[0] + parts[2]) + (parts[1] + parts[3]);
}

static inline float highest(V x) {
  V4 parts = fold(x, [](auto a, auto b) { return a > b ? a : b; });
  float left = parts[0] > parts[2] ? parts[0] : parts[2];
  float right = parts[1] > parts[3] ? parts[1] : parts[3];
  return left > right ? left : right;
}

// e^x for x <= 88; 0 below -87. Cody and Waite's reduction, then the Taylor series: up to r^7, which
// is good to 2 units in the last place, or for what is stored in bfloat16 up to r^4 (4e-5).
template <class T> static inline V exp(V x) {
  const float MAGIC = 12582912.0f; // 1.5 * 2^23: adding it rounds to a whole number.
  VI tiny = x < -87.0f;
  x = where(tiny, splat(-87.0f), x);
  V n = x * 1.44269504088896341f + MAGIC;
  VI power = (VI)n << 23;
  n -= MAGIC;
  V r = x - n * 0.693359375f;
  r = r + n * 2.12194440e-4f;
  V p = splat(1.0f / 24);
  if (sizeof(T) == sizeof(float)) {
    p = r * (1.0f / 5040) + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
  }
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  V result = where(tiny, V{}, (V)((VI)p + power));
  // What is no number stays none.
  return where(p == p, result, p);
}

// Which elements dropout keeps: a hash of the element's number and a key (the finaliser "lowbias32"
// of C. Wellons, applied to each half of the key). Nothing is stored: the backward pass asks again.
struct Dropout {
  uint32_t low, high, threshold;
  float scale;

  Dropout(double p, uint64_t key)
      : low((uint32_t)key), high((uint32_t)(key >> 32)), threshold((uint32_t)(p * 4294967296.0)),
        scale((float)(1.0 / (1.0 - p))) {}

  // `1 / (1 - p)` where the element stays, else 0, for elements `first` (a multiple of 16) to `first + 15`.
  // Beyond 2^32 elements the key changes with the upper half of the number, lest masks repeat.
  V factors(int64_t first) const {
    const VU lanes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const uint32_t upper = (uint32_t)((uint64_t)first >> 32);
    VU h = mix((lanes + (uint32_t)first) ^ (upper ? low ^ mix(upper) : low));
    h = mix(h + high);
    return where((VI)(h >= threshold), splat(scale), V{});
  }

  template <class U> static U mix(U h) {
    h ^= h >> 16;
    h *= 0x7feb352du;
    h ^= h >> 15;
    h *= 0x846ca68bu;
    return h ^ (h >> 16);
  }
};

} // namespace TUNEBOARD_ISA
} // namespace tuneboard
