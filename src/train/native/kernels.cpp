// Compiled once for each instruction set (build.rs); TUNEBOARD_ISA names it.
#include "kernels.h"

#include <cmath>
#include <cstdlib>

#include "adam.h"
#include "simd.h"

namespace tuneboard {
inline namespace TUNEBOARD_ISA {
namespace {

void fill(float *from, float *to, float x) {
  for (; from < to; from++) *from = x;
}

int64_t round_up(int64_t n) { return (n + WIDTH - 1) / WIDTH * WIDTH; }

// ---- Products of small matrices ----

// ROWS x (16 * COLUMNS) of C = A B. A is [m, k], or [k, m] if ACROSS.
template <int ROWS, int COLUMNS, bool ACROSS>
void tile(const float *a, int64_t lda, const float *b, int64_t ldb, float *c, int64_t ldc,
          int64_t k) {
  V sums[ROWS][COLUMNS] = {};
  for (int64_t i = 0; i < k; i++) {
    V row[COLUMNS];
    for (int j = 0; j < COLUMNS; j++) row[j] = load(b + i * ldb + j * WIDTH);
    for (int r = 0; r < ROWS; r++) {
      V x = splat(ACROSS ? a[i * lda + r] : a[r * lda + i]);
      for (int j = 0; j < COLUMNS; j++) sums[r][j] += x * row[j];
    }
  }
  for (int r = 0; r < ROWS; r++)
    for (int j = 0; j < COLUMNS; j++) store(c + r * ldc + j * WIDTH, sums[r][j]);
}

template <int COLUMNS, bool ACROSS>
void column(const float *a, int64_t lda, const float *b, int64_t ldb, float *c, int64_t ldc,
            int64_t m, int64_t k) {
  const int64_t step = ACROSS ? 1 : lda;
  int64_t r = 0;
  for (; r + 6 <= m; r += 6) tile<6, COLUMNS, ACROSS>(a + r * step, lda, b, ldb, c + r * ldc, ldc, k);
  for (; r + 3 <= m; r += 3) tile<3, COLUMNS, ACROSS>(a + r * step, lda, b, ldb, c + r * ldc, ldc, k);
  for (; r < m; r++) tile<1, COLUMNS, ACROSS>(a + r * step, lda, b, ldb, c + r * ldc, ldc, k);
}

// C [m, n] = A B, n a multiple of 16.
template <bool ACROSS>
void product(const float *a, int64_t lda, const float *b, int64_t ldb, float *c, int64_t ldc,
             int64_t m, int64_t n, int64_t k) {
  int64_t j = 0;
  for (; j + 2 * WIDTH <= n; j += 2 * WIDTH)
    column<2, ACROSS>(a, lda, b + j, ldb, c + j, ldc, m, k);
  if (j < n) column<1, ACROSS>(a, lda, b + j, ldb, c + j, ldc, m, k);
}

// to [columns, ld] = from [rows, columns] transposed; both counts of `to` beyond `rows` become 0.
void transpose(const float *from, int64_t rows, int64_t columns, float *to, int64_t ld) {
  for (int64_t c = 0; c < columns; c++) {
    for (int64_t r = 0; r < rows; r++) to[c * ld + r] = from[r * columns + c];
    fill(to + c * ld + rows, to + (c + 1) * ld, 0.0f);
  }
}

// ---- Attention ----

// One head of one text, unpacked to float.
struct Head {
  float *query, *key, *value, *across, *scores, *more, *out;

  Head(const Attention &job) {
    const int64_t ld = round_up(job.length), rows = job.length * job.size;
    const int64_t floats = 4 * rows + job.size * ld + 2 * job.length * ld;
    query = (float *)std::malloc(sizeof(float) * floats);
    if (!query) std::abort();
    key = query + rows;
    value = key + rows;
    out = value + rows;
    across = out + rows;
    scores = across + job.size * ld;
    more = scores + job.length * ld;
  }
  ~Head() { std::free(query); }
  Head(const Head &) = delete;
};

template <class T>
void unpack(const Attention &job, int64_t text, int64_t head, int part, float factor, float *to) {
  const int64_t width = job.heads * job.size;
  const T *from = (const T *)job.qkv + text * job.length * 3 * width + part * width + head * job.size;
  const float *bias = job.bias + part * width + head * job.size;
  for (int64_t i = 0; i < job.length; i++, from += 3 * width, to += job.size)
    for (int64_t j = 0; j < job.size; j += WIDTH)
      store(to + j, (load(from + j) + load(bias + j)) * factor);
}

// Softmax of the rows of `scores`, in place and into `kept`; what is kept is rounded as stored.
template <class T> void softmax(const Attention &job, int64_t text, float *scores, T *kept) {
  const int64_t length = job.length, ld = round_up(length);
  const float *key_bias = job.key_bias ? job.key_bias + text * length : nullptr;
  for (int64_t i = 0; i < length; i++, scores += ld, kept += ld) {
    const int64_t end = job.causal ? i + 1 : length;
    for (int64_t j = 0; key_bias && j < end; j++) scores[j] += key_bias[j];
    fill(scores + end, scores + ld, -INFINITY);
    V most = splat(-INFINITY), total = {};
    for (int64_t j = 0; j < ld; j += WIDTH) most = greater(most, load(scores + j));
    const float top = highest(most);
    for (int64_t j = 0; j < ld; j += WIDTH) {
      V x = exp<T>(load(scores + j) - top);
      total += x;
      store(scores + j, x);
    }
    const float scale = 1.0f / sum(total);
    for (int64_t j = 0; j < ld; j += WIDTH) {
      store(kept + j, load(scores + j) * scale);
      store(scores + j, load(kept + j));
    }
  }
}

template <class T> void attend(const Attention &job, void *out, int64_t begin, int64_t end) {
  const int64_t length = job.length, ld = round_up(length), size = job.size;
  const int64_t width = job.heads * size;
  const Dropout dropout(job.dropout, job.key);
  Head head(job);
  for (int64_t at = begin; at < end; at++) {
    const int64_t text = at / job.heads, h = at % job.heads;
    unpack<T>(job, text, h, 0, (float)(1.0 / std::sqrt((double)size)), head.query);
    unpack<T>(job, text, h, 1, 1.0f, head.key);
    unpack<T>(job, text, h, 2, 1.0f, head.value);
    transpose(head.key, length, size, head.across, ld);
    product<false>(head.query, size, head.across, ld, head.scores, ld, length, ld, size);
    softmax(job, text, head.scores, (T *)job.probabilities + at * length * ld);
    if (job.dropout > 0.0)
      for (int64_t j = 0; j < length * ld; j += WIDTH)
        store(head.scores + j,
              load(head.scores + j) * dropout.factors((uint32_t)(at * length * ld + j)));
    product<false>(head.scores, ld, head.value, size, head.out, size, length, size, length);
    T *to = (T *)out + text * length * width + h * size;
    for (int64_t i = 0; i < length; i++)
      for (int64_t j = 0; j < size; j += WIDTH)
        store(to + i * width + j, load(head.out + i * size + j));
  }
}

template <class T>
void pack(const Attention &job, int64_t text, int64_t head, int part, const float *from,
          float factor, T *to, float *bias_gradient) {
  const int64_t width = job.heads * job.size;
  to += text * job.length * 3 * width + part * width + head * job.size;
  float *bias = bias_gradient + part * width + head * job.size;
  for (int64_t j = 0; j < job.size; j += WIDTH) {
    V total = {};
    for (int64_t i = 0; i < job.length; i++) {
      V x = load(from + i * job.size + j) * factor;
      store(to + i * 3 * width + j, x);
      total += x;
    }
    store(bias + j, load(bias + j) + total);
  }
}

template <class T>
void attend_back(const Attention &job, const void *out_gradient, void *qkv_gradient,
                 float *bias_gradient, int64_t begin, int64_t end) {
  const int64_t length = job.length, ld = round_up(length), size = job.size;
  const int64_t width = job.heads * size;
  const float scale = (float)(1.0 / std::sqrt((double)size));
  const Dropout dropout(job.dropout, job.key);
  Head head(job);
  for (int64_t at = begin; at < end; at++) {
    const int64_t text = at / job.heads, h = at % job.heads;
    unpack<T>(job, text, h, 0, scale, head.query);
    unpack<T>(job, text, h, 1, 1.0f, head.key);
    unpack<T>(job, text, h, 2, 1.0f, head.value);
    const T *from = (const T *)out_gradient + text * length * width + h * size;
    for (int64_t i = 0; i < length; i++)
      for (int64_t j = 0; j < size; j += WIDTH)
        store(head.out + i * size + j, load(from + i * width + j));
    // Probabilities after dropout, and the gradient of those before it.
    const T *kept = (const T *)job.probabilities + at * length * ld;
    float *mixed = head.scores, *gradient = head.more;
    transpose(head.value, length, size, head.across, ld);
    product<false>(head.out, size, head.across, ld, gradient, ld, length, ld, size);
    for (int64_t i = 0; i < length; i++) {
      V total = {};
      for (int64_t j = 0; j < ld; j += WIDTH) {
        const int64_t here = i * ld + j;
        V p = load(kept + here), g = load(gradient + here), after = p;
        if (job.dropout > 0.0) {
          V factor = dropout.factors((uint32_t)(at * length * ld + here));
          after *= factor;
          g *= factor;
        }
        store(mixed + here, after);
        store(gradient + here, g);
        total += g * p;
      }
      const float mean = sum(total);
      for (int64_t j = 0; j < ld; j += WIDTH) {
        const int64_t here = i * ld + j;
        store(gradient + here, load(kept + here) * (load(gradient + here) - mean));
      }
    }
    T *to = (T *)qkv_gradient;
    product<true>(mixed, ld, head.out, size, head.value, size, length, size, length);
    pack(job, text, h, 2, head.value, 1.0f, to, bias_gradient);
    product<false>(gradient, ld, head.key, size, head.out, size, length, size, length);
    pack(job, text, h, 0, head.out, scale, to, bias_gradient);
    product<true>(gradient, ld, head.query, size, head.out, size, length, size, length);
    pack(job, text, h, 1, head.out, 1.0f, to, bias_gradient);
  }
}

// ---- GELU: x times the share of a normal distribution below x ----

// The share and e^(-x^2 / 2). Abramowitz & Stegun 7.1.26, off by 1.5e-7 at most; for what is stored
// in bfloat16 their 7.1.25, off by 2.5e-5.
template <class T> V share_below(V x, V &bell) {
  V z = where(x < 0.0f, -x, x) * 0.70710678118654752f;
  bell = exp<T>(-z * z);
  V tail;
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
  return where(x < 0.0f, tail, 1.0f - tail);
}

template <class T>
void gelu(const void *x, const float *bias, void *y, int64_t width, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; i++) {
    const T *from = (const T *)x + i * width;
    T *to = (T *)y + i * width;
    for (int64_t j = 0; j < width; j += WIDTH) {
      V value = load(from + j) + load(bias + j), bell;
      store(to + j, value * share_below<T>(value, bell));
    }
  }
}

template <class T>
void gelu_back(const void *x, const float *bias, const void *y_gradient, void *x_gradient,
               float *bias_gradient, int64_t width, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; i++) {
    const T *from = (const T *)x + i * width, *gradient = (const T *)y_gradient + i * width;
    T *to = (T *)x_gradient + i * width;
    for (int64_t j = 0; j < width; j += WIDTH) {
      V value = load(from + j) + load(bias + j), bell;
      V slope = share_below<T>(value, bell);
      slope += value * bell * 0.39894228040143268f;
      V g = load(gradient + j) * slope;
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
    V value = load_some((const T *)x + at, count) * dropout.factors((uint32_t)at);
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
      if (job.dropout > 0.0) value *= dropout.factors((uint32_t)(first + j));
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
      if (job.dropout > 0.0) g *= dropout.factors((uint32_t)(first + j));
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
      {gelu<float>, gelu<bf16>},           {gelu_back<float>, gelu_back<bf16>},
      {drop<float>, drop<bf16>},           {norm<float>, norm<bf16>},
      {norm_back<float>, norm_back<bf16>}, adam,
      adam_idle,                           squares,
  };
  return kernels;
}

} // namespace tuneboard
