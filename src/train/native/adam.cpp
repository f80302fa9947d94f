// AdamW, compiled once for each instruction set, without fused multiplications: a row's steps must give the
// same numbers whether they are done in time or later.
#include "adam.h"

#include <cmath>

#include "simd.h"

namespace tuneboard {
inline namespace TUNEBOARD_ISA {
namespace {

V gradient_at(const AdamSlot &slot, int64_t at, int64_t count) {
  return slot.half_gradient ? load_some((const bf16 *)slot.gradient + at, count)
                            : load_some((const float *)slot.gradient + at, count);
}

V square_root(V x) {
  float parts[WIDTH];
  store(parts, x);
  for (float &part : parts) part = std::sqrt(part);
  return load(parts);
}

// A step's numbers, rounded to what the arithmetic takes.
struct Adam {
  float keep, size, root, eps, fresh1, fresh2, scale;

  Adam(double lr, double decay, const AdamStep &step)
      : keep((float)(1.0 - lr * decay)), size((float)(lr / step.correction1)),
        root((float)(1.0 / std::sqrt(step.correction2))), eps((float)step.eps),
        fresh1((float)(1.0 - step.beta1)), fresh2((float)(1.0 - step.beta2)),
        scale((float)step.scale) {}

  void move(V g, V &mean, V &square, V &weight) const {
    weight *= keep;
    mean += (g - mean) * fresh1;
    square += (g * g - square) * fresh2;
    weight -= mean / (square_root(square) * root + eps) * size;
  }
};

} // namespace

void adam(const AdamSlot &slot, const AdamStep &step, int64_t begin, int64_t end) {
  const Adam numbers(slot.lr, slot.decay, step);
  for (int64_t at = begin; at < end; at += WIDTH) {
    const int64_t count = least(WIDTH, end - at);
    V g = gradient_at(slot, at, count) * numbers.scale;
    V mean = load_some(slot.mean + at, count), square = load_some(slot.square + at, count);
    V weight = load_some(slot.weight + at, count);
    numbers.move(g, mean, square, weight);
    store_some(slot.mean + at, mean, count);
    store_some(slot.square + at, square, count);
    store_some(slot.weight + at, weight, count);
    if (slot.copy) store_some((bf16 *)slot.copy + at, weight, count);
  }
}

void adam_idle(const AdamSlot &slot, const IdleStep *steps, int64_t count, int64_t begin, int64_t end) {
  // Pieces that stay in the cache from step to step.
  for (int64_t first = begin; first < end; first += 4096) {
    const int64_t last = least(first + 4096, end);
    for (int64_t s = 0; s < count; s++) {
      const Adam numbers(steps[s].lr, slot.decay, steps[s].step);
      for (int64_t at = first; at < last; at += WIDTH) {
        const int64_t some = least(WIDTH, last - at);
        V mean = load_some(slot.mean + at, some), square = load_some(slot.square + at, some);
        V weight = load_some(slot.weight + at, some);
        // What never had a gradient is only decayed, which saves the root and the division.
        if (highest(where(mean < 0.0f, -mean, mean) + square) == 0.0f) {
          store_some(slot.weight + at, weight * numbers.keep, some);
          continue;
        }
        numbers.move(V{}, mean, square, weight);
        store_some(slot.mean + at, mean, some);
        store_some(slot.square + at, square, some);
        store_some(slot.weight + at, weight, some);
      }
    }
  }
}

double squares(const AdamSlot &slot, int64_t begin, int64_t end) {
  double total = 0.0;
  // Few enough in a row for a float to hold their sum.
  for (int64_t part = begin; part < end; part += 4096) {
    V some = {};
    for (int64_t at = part; at < least(part + 4096, end); at += WIDTH) {
      V g = gradient_at(slot, at, least(WIDTH, end - at));
      some += g * g;
    }
    total += sum(some);
  }
  return total;
}

} // namespace TUNEBOARD_ISA
} // namespace tuneboard
