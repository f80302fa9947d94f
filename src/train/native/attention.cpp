// Multi-head self-attention of short texts, compiled once for each instruction set.
#include "attention.h"

#include <cmath>
#include <cstdlib>
#include <stdexcept>

#ifdef __AMX_BF16__
#include "tiles.h"
#define ON_TILES(condition) const Tiles held(condition)
#else
#define ON_TILES(condition)
#endif

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

// One head of one text, unpacked to float, with what its products need beside.
struct Head {
  const bool tiles;      // Its products are done on AMX, in bfloat16.
  const int64_t pitch;   // Between rows of `scores` and `more`.
  // [length, size] each, but for `across` [size, pitch] and `scores` and `more` [length, pitch].
  float *query, *key, *value, *out, *across, *scores, *more;
  uint16_t *left, *right;

  Head(const Attention &job, bool tiles)
      : tiles(tiles), pitch(tiles ? (job.length + 31) / 32 * 32 : round_up(job.length)) {
    // Tiles write squares of 32.
    const int64_t side = (job.length + 31) / 32 * 32, rows = side * job.size, all = side * side;
    const int64_t most = rows > all ? rows : all;
    query = (float *)std::malloc(sizeof(float) * (5 * rows + 2 * all) + 2 * sizeof(uint16_t) * most);
    // The trainer knows these words, and tries again with smaller batches.
    if (!query) throw std::runtime_error("out of memory for the scores of a text");
    key = query + rows;
    value = key + rows;
    out = value + rows;
    across = out + rows;
    scores = across + rows;
    more = scores + all;
    left = (uint16_t *)(more + all);
    right = left + most;
  }
  ~Head() { std::free(query); }
  Head(const Head &) = delete;
};

// Whether products of T are done on AMX.
template <class T> bool on_tiles(const Attention &job) {
#ifdef __AMX_BF16__
  return sizeof(T) == sizeof(bf16) && job.size % 32 == 0;
#else
  (void)job;
  return false;
#endif
}

#ifdef __AMX_BF16__
// Two rows of 16 floats in pairs.
__m512i pair(const float *even, const float *odd) {
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23,
                                         7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  const __m512 none = _mm512_setzero_ps();
  return _mm512_permutexvar_epi16(
      order, halves(even ? _mm512_loadu_ps(even) : none, odd ? _mm512_loadu_ps(odd) : none));
}

// 16 columns from `from` on of rows `row` to `row` + 31, in pairs; rows from `rows` on are 0.
void pairs(const float *from, int64_t ld, int64_t row, int64_t rows, __m512i r[16]) {
  for (int64_t i = row; i < row + 32; i += 2)
    r[(i - row) / 2] = pair(i < rows ? from + i * ld : nullptr, i + 1 < rows ? from + (i + 1) * ld : nullptr);
}

// Rows `row` to `row` + 15 of 32 columns from `from` on, of which `columns` are there; others are 0.
void lines(const float *from, int64_t ld, int64_t row, int64_t rows, int64_t columns, __m512i r[16]) {
  const __m512 none = _mm512_setzero_ps();
  for (int64_t i = row; i < row + 16; i++) {
    const bool there = i < rows;
    r[i - row] = halves(there ? _mm512_loadu_ps(from + i * ld) : none,
                        there && columns > 16 ? _mm512_loadu_ps(from + i * ld + 16) : none);
  }
}

// As `product`, on tiles: B is [k, n], or [n, k] if TURNED. C has room for whole squares of 32.
template <bool ACROSS, bool TURNED>
void tiled(const Head &head, const float *a, int64_t lda, const float *b, int64_t ldb, float *c, int64_t ldc,
           int64_t m, int64_t n, int64_t k) {
  const int64_t steps = (k + 31) / 32;
  __m512i r[16];
  for (int64_t i = 0; i < m; i += 16)
    for (int64_t s = 0; s < steps; s++) {
      if (ACROSS) {
        pairs(a + i, lda, s * 32, k, r);
        turn(r);
      } else {
        lines(a + s * 32, lda, i, m, k - s * 32, r);
      }
      put(r, head.left + (i / 16 * steps + s) * TILE);
    }
  if (m % 32 && m % 32 <= 16) std::memset(head.left + (m + 15) / 16 * steps * TILE, 0, steps * TILE * 2);
  for (int64_t j = 0; j < n; j += 32) {
    for (int64_t s = 0; s < steps; s++)
      for (int64_t half = 0; half < 2; half++) {
        const int64_t column = j + half * 16;
        if (TURNED) {
          lines(b + s * 32, ldb, column, n, k - s * 32, r);
          turn(r);
        } else if (column < n) {
          pairs(b + column, ldb, s * 32, k, r);
        } else {
          std::memset(r, 0, sizeof r);
        }
        put(r, head.right + (s * 2 + half) * TILE);
      }
    for (int64_t i = 0; i < m; i += 32)
      square(head.left + i / 16 * steps * TILE, steps * TILE, TILE, 32, head.right, steps, c + i * ldc + j, ldc);
  }
}
#endif

// C [length, length] = A B^T for A and B of [length, size].
void scores(const Attention &job, const Head &head, const float *a, const float *b, float *c) {
  const int64_t length = job.length, size = job.size;
#ifdef __AMX_BF16__
  if (head.tiles)
    return tiled<false, true>(head, a, size, b, size, c, head.pitch, length, length, size);
#endif
  transpose(b, length, size, head.across, head.pitch);
  product<false>(a, size, head.across, head.pitch, c, head.pitch, length, head.pitch, size);
}

// C [length, size] = A B for A [length, length], or its transpose if ACROSS, and B [length, size].
template <bool ACROSS>
void mixed(const Attention &job, const Head &head, const float *a, const float *b, float *c) {
  const int64_t length = job.length, size = job.size;
#ifdef __AMX_BF16__
  if (head.tiles)
    return tiled<ACROSS, false>(head, a, head.pitch, b, size, c, size, length, size, length);
#endif
  product<ACROSS>(a, head.pitch, b, size, c, size, length, size, length);
}

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
template <class T>
void softmax(const Attention &job, int64_t text, float *scores, int64_t pitch, T *kept) {
  const int64_t length = job.length, ld = round_up(length);
  const float *key_bias = job.key_bias ? job.key_bias + text * length : nullptr;
  for (int64_t i = 0; i < length; i++, scores += pitch, kept += ld) {
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

} // namespace

template <class T> void attend(const Attention &job, void *out, int64_t begin, int64_t end) {
  const int64_t length = job.length, ld = round_up(length), size = job.size;
  const int64_t width = job.heads * size;
  const Dropout dropout(job.dropout, job.key);
  Head head(job, on_tiles<T>(job));
  const int64_t pitch = head.pitch;
  ON_TILES(head.tiles);
  for (int64_t at = begin; at < end; at++) {
    const int64_t text = at / job.heads, h = at % job.heads;
    unpack<T>(job, text, h, 0, (float)(1.0 / std::sqrt((double)size)), head.query);
    unpack<T>(job, text, h, 1, 1.0f, head.key);
    unpack<T>(job, text, h, 2, 1.0f, head.value);
    scores(job, head, head.query, head.key, head.scores);
    softmax(job, text, head.scores, pitch, (T *)job.probabilities + at * length * ld);
    for (int64_t i = 0; job.dropout > 0.0 && i < length; i++)
      for (int64_t j = 0; j < ld; j += WIDTH) {
        float *score = head.scores + i * pitch + j;
        store(score, load(score) * dropout.factors((at * length + i) * ld + j));
      }
    mixed<false>(job, head, head.scores, head.value, head.out);
    T *to = (T *)out + text * length * width + h * size;
    for (int64_t i = 0; i < length; i++)
      for (int64_t j = 0; j < size; j += WIDTH)
        store(to + i * width + j, load(head.out + i * size + j));
  }
}

template <class T>
void attend_back(const Attention &job, const void *out_gradient, void *qkv_gradient,
                 float *bias_gradient, int64_t begin, int64_t end) {
  const int64_t length = job.length, ld = round_up(length), size = job.size;
  const int64_t width = job.heads * size;
  const float scale = (float)(1.0 / std::sqrt((double)size));
  const Dropout dropout(job.dropout, job.key);
  Head head(job, on_tiles<T>(job));
  ON_TILES(head.tiles);
  for (int64_t at = begin; at < end; at++) {
    const int64_t text = at / job.heads, h = at % job.heads;
    unpack<T>(job, text, h, 0, scale, head.query);
    unpack<T>(job, text, h, 1, 1.0f, head.key);
    unpack<T>(job, text, h, 2, 1.0f, head.value);
    const T *from = (const T *)out_gradient + text * length * width + h * size;
    for (int64_t i = 0; i < length; i++)
      for (int64_t j = 0; j < size; j += WIDTH)
        store(head.out + i * size + j, load(from + i * width + j));
    scores(job, head, head.out, head.value, head.more);
    // Probabilities after dropout, and the gradient of the scores.
    const T *kept = (const T *)job.probabilities + at * length * ld;
    for (int64_t i = 0; i < length; i++, kept += ld) {
      float *after = head.scores + i * head.pitch, *gradient = head.more + i * head.pitch;
      V total = {};
      for (int64_t j = 0; j < ld; j += WIDTH) {
        V p = load(kept + j), g = load(gradient + j), dropped = p;
        if (job.dropout > 0.0) {
          V factor = dropout.factors((at * length + i) * ld + j);
          dropped *= factor;
          g *= factor;
        }
        store(after + j, dropped);
        store(gradient + j, g);
        total += g * p;
      }
      const float mean = sum(total);
      for (int64_t j = 0; j < ld; j += WIDTH)
        store(gradient + j, load(kept + j) * (load(gradient + j) - mean));
    }
    T *to = (T *)qkv_gradient;
    mixed<true>(job, head, head.scores, head.out, head.value);
    pack(job, text, h, 2, head.value, 1.0f, to, bias_gradient);
    mixed<false>(job, head, head.more, head.key, head.out);
    pack(job, text, h, 0, head.out, scale, to, bias_gradient);
    mixed<true>(job, head, head.more, head.query, head.out);
    pack(job, text, h, 1, head.out, 1.0f, to, bias_gradient);
  }
}

template void attend<float>(const Attention &, void *, int64_t, int64_t);
template void attend<bf16>(const Attention &, void *, int64_t, int64_t);
template void attend_back<float>(const Attention &, const void *, void *, float *, int64_t, int64_t);
template void attend_back<bf16>(const Attention &, const void *, void *, float *, int64_t, int64_t);

} // namespace TUNEBOARD_ISA
} // namespace tuneboard
