// Matrix products in bfloat16 on AMX, summed in float. The tiles of AMX are 16 rows of 64 bytes: one
// instruction adds [16, 32] x [32, 16] to a float [16, 16]. Its right factor lies "in pairs": row k / 2
// of a tile holds the numbers of rows k and k + 1 side by side, column by column.
//
// libtorch's products on the CPU (oneDNN) leave most of what AMX can do unused at the sizes of
// fine-tuning; how much is in docs/benchmarks.md.
#include "amx.h"

#include <immintrin.h>

#include <cstring>

namespace tuneboard {
namespace {

constexpr int64_t TILE = 512;        // Numbers of a tile.
constexpr int64_t SIDE = 32;         // Results are made in squares of this side: four tiles.
constexpr int64_t NEAR = 512 * 1024; // Numbers of the right factor that stay in the level 2 cache.

int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

void transpose(__m512i r[16]) {
  __m512i t[16];
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  // Quarter q of r[4 g + c] has column 4 q + c of rows 4 g to 4 g + 3.
  for (int c = 0; c < 4; c++) {
    __m512i even = _mm512_shuffle_i32x4(r[c], r[4 + c], 0x88);
    __m512i odd = _mm512_shuffle_i32x4(r[c], r[4 + c], 0xdd);
    __m512i even_below = _mm512_shuffle_i32x4(r[8 + c], r[12 + c], 0x88);
    __m512i odd_below = _mm512_shuffle_i32x4(r[8 + c], r[12 + c], 0xdd);
    t[c] = _mm512_shuffle_i32x4(even, even_below, 0x88);
    t[4 + c] = _mm512_shuffle_i32x4(odd, odd_below, 0x88);
    t[8 + c] = _mm512_shuffle_i32x4(even, even_below, 0xdd);
    t[12 + c] = _mm512_shuffle_i32x4(odd, odd_below, 0xdd);
  }
  std::memcpy(r, t, sizeof t);
}

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

void put(const __m512i r[16], uint16_t *to) {
  for (int i = 0; i < 16; i++) _mm512_storeu_si512(to + i * 32, r[i]);
}

// A square of the product, from its rows of the left factor and its panel of the right one.
void square(const AmxProduct &a, const uint16_t *left, const uint16_t *right,
            float *sums) {
  const uint16_t *below = left + a.block;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int64_t s = 0; s < a.steps; s++) {
    _tile_loadd(4, left + s * a.step, a.ld * 2);
    _tile_loadd(6, right + s * 2 * TILE, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, right + s * 2 * TILE + TILE, 64);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, below + s * a.step, a.ld * 2);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, sums, 4 * SIDE);
  _tile_stored(1, sums + 16, 4 * SIDE);
  _tile_stored(2, sums + 16 * SIDE, 4 * SIDE);
  _tile_stored(3, sums + 16 * SIDE + 16, 4 * SIDE);
}

struct Tiles {
  Tiles() {
    struct {
      uint8_t palette = 1, start = 0, zeros[14] = {};
      uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    } config;
    static_assert(sizeof config == 64, "as the manual says");
    _tile_loadconfig(&config);
  }
  // libtorch's own kernels expect none.
  ~Tiles() { _tile_release(); }
};

} // namespace

void amx_pack_across(const uint16_t *from, int64_t inner, uint16_t *to) {
  __m512i r[16];
  for (int64_t k = 0; k < inner; k += 32)
    for (int64_t half = 0; half < 2; half++, to += TILE) {
      for (int64_t i = 0; i < 16; i++) r[i] = _mm512_loadu_si512(from + (half * 16 + i) * inner + k);
      transpose(r);
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
    transpose(r);
    put(r, to);
  }
}

void amx_multiply(const AmxProduct &job, int64_t begin, int64_t end) {
  const Tiles tiles;
  const int64_t size = job.steps * 2 * TILE;
  const int64_t near = size < NEAR ? NEAR / size : 1;
  alignas(64) float sums[SIDE * SIDE];
  // 32 rows stay in the level 1 cache while some panels, from the level 2 cache, pass by.
  for (int64_t first = begin; first < end; first += near)
    for (int64_t row = 0; row < job.rows; row += SIDE) {
      const int64_t rows = least(SIDE, job.rows - row);
      const uint16_t *left = rows < SIDE ? job.tail : job.left + row / 16 * job.block;
      for (int64_t panel = first; panel < least(first + near, end); panel++) {
        square(job, left, job.right + panel * size, sums);
        uint16_t *out = job.out + row * job.columns + panel * SIDE;
        for (int64_t i = 0; i < rows; i++, out += job.columns) {
          const __m512 low = _mm512_load_ps(sums + i * SIDE), high = _mm512_load_ps(sums + i * SIDE + 16);
          _mm512_storeu_si512(out, (__m512i)_mm512_cvtne2ps_pbh(high, low));
        }
      }
    }
}

} // namespace tuneboard
