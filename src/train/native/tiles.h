// The tiles of AMX: 16 rows of 64 bytes. One instruction adds a bfloat16 [16, 32] times [32, 16] to a
// float [16, 16]. The right factor lies "in pairs": row k / 2 of a tile has the numbers of its rows k
// and k + 1 side by side, column by column.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

namespace tuneboard {

constexpr int64_t TILE = 512; // Numbers of a tile in bfloat16.

// Tiles as all of our products want them, for as long as it lives; libtorch's kernels expect none.
struct Tiles {
  const bool wanted;

  explicit Tiles(bool wanted) : wanted(wanted) {
    if (!wanted) return;
    struct {
      uint8_t palette = 1, start = 0, zeros[14] = {};
      uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    } config;
    static_assert(sizeof config == 64, "as the manual says");
    _tile_loadconfig(&config);
  }
  ~Tiles() {
    if (wanted) _tile_release();
  }
  Tiles(const Tiles &) = delete;
};

// 16 rows of 16 pairs, transposed.
static inline void turn(__m512i r[16]) {
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

static inline void put(const __m512i r[16], uint16_t *to) {
  for (int i = 0; i < 16; i++) _mm512_storeu_si512(to + i * 32, r[i]);
}

// 16 numbers of each, as bfloat16: those of `low` first.
static inline __m512i halves(__m512 low, __m512 high) { return (__m512i)_mm512_cvtne2ps_pbh(high, low); }

// [32, 32] = the sum over `steps` of two tiles, `block` apart, times two tiles. Rows of the left ones are
// `ld` numbers apart, steps `step` and `2 * TILE`; rows of the result `to_ld`.
static inline void square(const uint16_t *left, int64_t block, int64_t step, int64_t ld,
                          const uint16_t *right, int64_t steps, float *to, int64_t to_ld) {
  const uint16_t *below = left + block;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int64_t s = 0; s < steps; s++) {
    _tile_loadd(4, left + s * step, ld * 2);
    _tile_loadd(6, right + s * 2 * TILE, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, right + s * 2 * TILE + TILE, 64);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, below + s * step, ld * 2);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, to, 4 * to_ld);
  _tile_stored(1, to + 16, 4 * to_ld);
  _tile_stored(2, to + 16 * to_ld, 4 * to_ld);
  _tile_stored(3, to + 16 * to_ld + 16, 4 * to_ld);
}

} // namespace tuneboard
