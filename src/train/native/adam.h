// The optimiser's part of the kernels (adam.cpp).
#pragma once

#include "kernels.h"

namespace tuneboard {
inline namespace TUNEBOARD_ISA {

void adam(const AdamSlot &, const AdamStep &, int64_t begin, int64_t end);
void adam_idle(const AdamSlot &, const IdleStep *, int64_t steps, int64_t begin, int64_t end);
double squares(const AdamSlot &, int64_t begin, int64_t end);

} // namespace TUNEBOARD_ISA
} // namespace tuneboard
