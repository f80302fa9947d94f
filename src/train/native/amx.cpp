// Matrix products in bfloat16 on AMX, summed in float: faster on several threads than libtorch's own (oneDNN) at
// the sizes of fine-tuning, and in less memory (docs/benchmarks.md).
#include "amx.h"

#include "tiles.h"

namespace tuneboard {
namespace {

constexpr int64_t SIDE = 32; // Results are made in squares of this side: four tiles.
// A task's part of the product: panels that stay in the level 2 cache while rows pass by.
constexpr int64_t PANELS = 4, ROWS = 256;

int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

// Rows 2 i and 2 i + 1 of 16 numbers in pairs, for i from 0 to 15; rows beyond `rows` are 0.
void pairs(const uint16_t *from, int64_t ld, int64_t rows, __m512i r[16]) {
  for (int64_t i = 0; i < 16; i++) {
    __m256i even = {}, odd = {};
    if (2 * i < rows) even = _mm256_loadu_si256((const __m256i *)(from + 2 * i * ld));
    if (2 * i + 1 < rows) odd = _mm256_loadu_si256((const __m256i *)(from + (2 * i + 1) * ld));
    r[i] = _mm512_or_si512(_mm512_cvtepu16_epi32(even),
                           _mm512_slli_epi32(_mm512_cvtepu16_epi32(odd), 16));
  }
}

} // namespace

void amx_pack_across(const uint16_t *from, int64_t inner, uint16_t *to) {
  __m512i r[16];
  for (int64_t k = 0; k < inner; k += 32)
    for (int64_t half = 0; half < 2; half++, to += TILE) {
      for (int64_t i = 0; i < 16; i++) r[i] = _mm512_loadu_si512(from + (half * 16 + i) * inner + k);
      turn(r);
      put(r, to);
    }
}

void amx_pack(const uint16_t *from, int64_t rows, int64_t columns, uint16_t *to, int64_t apart) {
  __m512i r[16];
  for (int64_t c = 0; c < columns; c += 32, to += apart)
    for (int64_t half = 0; half < 2; half++) {
      pairs(from + c + half * 16, columns, rows, r);
      put(r, to + half * TILE);
    }
}

void amx_pack_left(const uint16_t *from, int64_t rows, int64_t columns, uint16_t *to, int64_t apart) {
  __m512i r[16];
  for (int64_t c = 0; c < columns; c += 16, to += apart) {
    pairs(from + c, columns, rows, r);
    turn(r);
    put(r, to);
  }
}

int64_t amx_tasks(const AmxProduct &job) {
  return ((job.rows + ROWS - 1) / ROWS) * ((job.columns / SIDE + PANELS - 1) / PANELS);
}

void amx_multiply(const AmxProduct &job, int64_t task) {
  const Tiles tiles(true);
  const int64_t bands = (job.rows + ROWS - 1) / ROWS, size = job.steps * 2 * TILE;
  const int64_t first = task / bands * PANELS, end = least(first + PANELS, job.columns / SIDE);
  const int64_t top = task % bands * ROWS, bottom = least(top + ROWS, job.rows);
  alignas(64) float sums[SIDE * SIDE];
  for (int64_t row = top; row < bottom; row += SIDE) {
    const int64_t rows = least(SIDE, job.rows - row);
    const uint16_t *left = rows < SIDE ? job.tail : job.left + row / 16 * job.block;
    for (int64_t panel = first; panel < end; panel++) {
      square(left, job.block, job.step, job.ld, job.right + panel * size, job.steps, sums, SIDE);
      uint16_t *out = job.out + row * job.columns + panel * SIDE;
      for (int64_t i = 0; i < rows; i++, out += job.columns) {
        const __m512 low = _mm512_load_ps(sums + i * SIDE), high = _mm512_load_ps(sums + i * SIDE + 16);
        _mm512_storeu_si512(out, halves(low, high));
      }
    }
  }
}

} // namespace tuneboard
