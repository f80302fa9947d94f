// Every CPU kernel on random jobs, in buffers that are exactly as long as the job says, so that the
// sanitizers see each number read or written beside them (scripts/sanitize.sh).
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <vector>

#include "kernels.h"

#ifdef TUNEBOARD_AMX
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

// As in product.cpp.
static bool may_use_amx() {
  unsigned int eax, ebx, ecx, edx;
  return __builtin_cpu_supports("avx512bf16") && __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) &&
         (edx & (1u << 22)) && (edx & (1u << 24)) && syscall(SYS_arch_prctl, 0x1023, 18) == 0;
}
#endif

using namespace tuneboard;

extern "C" const char *__asan_default_options() { return "allocator_may_return_null=1:detect_leaks=1"; }

namespace {

uint64_t state = 1;
long cases = 0;

uint64_t draw() { // SplitMix64
  uint64_t z = state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

int64_t below(int64_t n) { return (int64_t)(draw() % (uint64_t)n); }
float some() { return (float)below(2001) / 500.0f - 2.0f; }

void check(bool holds, const char *what) {
  if (holds) return;
  std::fprintf(stderr, "sanitize: %s\n", what);
  std::exit(1);
}

// Numbers of a storage type, on the heap, not one more than asked for.
struct Numbers {
  bool half;
  int64_t count;
  std::unique_ptr<char[]> bytes;

  Numbers(int64_t count, bool half, bool filled = true)
      : half(half), count(count), bytes(new char[(size_t)count * (half ? 2 : 4)]) {
    for (int64_t i = 0; i < count; i++) set(i, filled ? some() : 0.0f);
  }
  void set(int64_t i, float x) {
    if (half) {
      uint32_t bits;
      std::memcpy(&bits, &x, 4);
      const uint16_t upper = (uint16_t)(bits >> 16);
      std::memcpy(bytes.get() + i * 2, &upper, 2);
    } else {
      std::memcpy(bytes.get() + i * 4, &x, 4);
    }
  }
  float get(int64_t i) const {
    uint32_t bits = 0;
    if (half) {
      uint16_t upper;
      std::memcpy(&upper, bytes.get() + i * 2, 2);
      bits = (uint32_t)upper << 16;
    } else {
      std::memcpy(&bits, bytes.get() + i * 4, 4);
    }
    float x;
    std::memcpy(&x, &bits, 4);
    return x;
  }
  void finite(const char *what) const {
    for (int64_t i = 0; i < count; i++) check(std::isfinite(get(i)), what);
  }
  void *at() { return bytes.get(); }
  float *floats() { return (float *)bytes.get(); }
};

void attention(const Kernels &kernels, bool half) {
  const int64_t batch = 1 + below(3), length = 1 + below(70), heads = 1 + below(3), size = 16 * (1 + below(6));
  const int64_t width = heads * size, ld = (length + 15) / 16 * 16;
  Numbers qkv(batch * length * 3 * width, half), bias(3 * width, false), keys(batch * length, false);
  Numbers kept(batch * heads * length * ld, half, false), out(batch * length * width, half, false);
  Numbers gradient(batch * length * width, half), back(batch * length * 3 * width, half, false);
  Numbers sums(3 * width, false, false);
  const double p = below(2) ? 0.3 : 0.0;
  const Attention job{batch, length, heads, size, below(2) == 1, qkv.at(), bias.floats(),
                      below(2) ? keys.floats() : nullptr, p, draw(), kept.at()};
  const int64_t middle = below(batch * heads + 1);
  kernels.attend[half](job, out.at(), 0, middle);
  kernels.attend[half](job, out.at(), middle, batch * heads);
  kernels.attend_back[half](job, gradient.at(), back.at(), sums.floats(), 0, batch * heads);
  out.finite("attention gives no number");
  back.finite("attention's gradient is no number");
}

void gelu(const Kernels &kernels, bool half) {
  const int64_t rows = 1 + below(9), width = 16 * (1 + below(20));
  Numbers x(rows * width, half), bias(width, false), y(rows * width, half, false);
  Numbers slope(rows * width, half, false), gradient(rows * width, half), sums(width, false, false);
  Numbers back(rows * width, half, false);
  kernels.gelu[half][below(2)](x.at(), bias.floats(), y.at(), nullptr, width, 0, rows);
  kernels.gelu[half][below(2)](x.at(), bias.floats(), y.at(), slope.at(), width, 0, rows);
  kernels.gelu_back[half](slope.at(), gradient.at(), back.at(), sums.floats(), width, 0, rows);
  y.finite("gelu gives no number");
  back.finite("gelu's gradient is no number");
}

void drop(const Kernels &kernels, bool half) {
  const int64_t count = 1 + below(200);
  Numbers x(count, half), y(count, half, false);
  kernels.drop[half](x.at(), y.at(), 0.5, draw(), 0, count);
  y.finite("dropout gives no number");
}

void norm(const Kernels &kernels, bool half) {
  const int64_t rows = 1 + below(9), width = 16 * (1 + below(20)), all = rows * width;
  Numbers x(all, half), bias(width, false), residual(all, half), weight(width, false), shift(width, false);
  Numbers sum(all, half, false), mean(rows, false), scale(rows, false), y(all, half, false);
  Numbers gradient(all, half), dx(all, half, false), dr(all, half, false), sums(3 * width, false, false);
  const Norm job{width, x.at(), bias.floats(), residual.at(), weight.floats(), shift.floats(),
                 below(2) ? 0.1 : 0.0, 1e-5, draw(), sum.at(), mean.floats(), scale.floats()};
  kernels.norm[half](job, y.at(), 0, rows);
  kernels.norm_back[half](job, gradient.at(), dx.at(), dr.at(), sums.floats(), 0, rows);
  y.finite("LayerNorm gives no number");
  dx.finite("LayerNorm's gradient is no number");
}

void adam(const Kernels &kernels, bool half) {
  const int64_t count = 1 + below(9000);
  Numbers weight(count, false), mean(count, false), square(count, false, false), gradient(count, half);
  Numbers copy(count, true);
  const AdamSlot slot{weight.floats(), mean.floats(), square.floats(), gradient.at(),
                      below(2) ? copy.at() : nullptr, count, 1e-3, 0.01, half};
  const AdamStep step{0.9, 0.999, 1e-8, 0.1, 0.001, 1.0};
  kernels.adam(slot, step, 0, count);
  const std::vector<IdleStep> idle(1 + (size_t)below(4), IdleStep{1e-3, step});
  kernels.adam_idle(slot, idle.data(), (int64_t)idle.size(), 0, count);
  check(std::isfinite(kernels.squares(slot, 0, count)), "a sum of squares is no number");
  weight.finite("AdamW gives no number");
}

// Elements 2^32 apart must not share their masks; those below have the masks they always had.
void far_masks(const Kernels &kernels) {
  const int64_t count = 4096, far = INT64_C(1) << 32;
  Numbers ones(count, false), near(count, false, false), beyond(count, false, false);
  for (int64_t i = 0; i < count; i++) ones.set(i, 1.0f);
  kernels.drop[0](ones.at(), near.at(), 0.5, 7, 0, count);
  // Where element 0 of so long a tensor would lie; only what is beyond 2^32 is touched.
  const auto base = [&](Numbers &numbers) { return (void *)((uintptr_t)numbers.at() - (uintptr_t)far * 4); };
  kernels.drop[0](base(ones), base(beyond), 0.5, 7, far, far + count);
  int64_t same = 0;
  for (int64_t i = 0; i < count; i++) same += near.get(i) == beyond.get(i);
  check(same > count * 4 / 10 && same < count * 6 / 10, "masks repeat after 2^32 elements");
  static std::vector<float> first;
  for (int64_t i = 0; first.size() < (size_t)count; i++) first.push_back(near.get(i));
  for (int64_t i = 0; i < count; i++) check(first[(size_t)i] == near.get(i), "masks depend on the processor");
}

// Memory that is refused is an exception, which the trainer turns into smaller batches.
void refused(const Kernels &kernels) {
  Attention job{};
  job.length = INT64_C(1) << 22;
  job.batch = job.heads = 1;
  job.size = 32;
  try {
    kernels.attend[0](job, nullptr, 0, 0);
  } catch (const std::exception &error) {
    check(std::strstr(error.what(), "out of memory"), "refused memory is called otherwise");
    return;
  }
  check(false, "no memory was refused");
}

void all(const char *set, const Kernels &kernels, int rounds) {
  void (*jobs[])(const Kernels &, bool) = {attention, gelu, drop, norm, adam};
  for (int round = 0; round < rounds; round++)
    for (auto job : jobs)
      for (bool half : {false, true}) {
        job(kernels, half);
        cases++;
      }
  far_masks(kernels);
  refused(kernels);
  std::printf("sanitize: %s holds\n", set);
}

} // namespace

int main(int count, char **words) {
  const int rounds = count > 1 ? std::atoi(words[1]) : 150;
  all("portable", kernels_portable(), rounds);
#if defined(__x86_64__)
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx2) all("avx2", kernels_avx2(), rounds);
  else std::printf("sanitize: avx2 not tested, this processor lacks it\n");
  if (avx512) all("avx512", kernels_avx512(), rounds);
  else std::printf("sanitize: avx512 not tested, this processor lacks it\n");
#endif
#ifdef TUNEBOARD_AMX
  if (may_use_amx()) all("amx", kernels_amx(), rounds);
  else std::printf("sanitize: amx not tested, this processor lacks it\n");
#endif
  std::printf("sanitize: %ld cases\n", cases);
}
