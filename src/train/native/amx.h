// Products of bfloat16 matrices on AMX, in pieces: the caller decides about threads.
#pragma once

#include <cstdint>

namespace tuneboard {

// out [rows, columns] = left [rows, 32 * steps] times right. `columns` is a multiple of 32.
struct AmxProduct {
  int64_t rows, columns, steps;
  // Tile s of the 16 rows from 16 * b on begins at `left + b * block + s * step`; its rows are `ld` apart.
  const uint16_t *left;
  int64_t block, step, ld;
  // The last `rows` % 32 rows, filled up to 32 and laid out as `left`; null if there are none.
  const uint16_t *tail;
  const uint16_t *right; // Panels of 32 columns: [columns / 32][steps][2][512].
  uint16_t *out;
};

// One panel of the right factor from [32, inner], whose rows are its columns.
void amx_pack_across(const uint16_t *from, int64_t inner, uint16_t *to);
// One step of all panels of the right factor, from `rows` <= 32 rows of [.., columns]; what is missing
// of 32 rows counts as 0. Panels are `apart` numbers from each other.
void amx_pack(const uint16_t *from, int64_t rows, int64_t columns, uint16_t *to, int64_t apart);
// The same for blocks of 16 rows of the left factor, whose rows are the columns of `from`.
void amx_pack_left(const uint16_t *from, int64_t rows, int64_t columns, uint16_t *to, int64_t apart);

// Into how many tasks of like size a product falls, and one of them.
int64_t amx_tasks(const AmxProduct &job);
void amx_multiply(const AmxProduct &job, int64_t task);

} // namespace tuneboard
