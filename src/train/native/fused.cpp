// What the trainer adds to libtorch on the CPU: operations with gradients, and the AdamW step.
// Plain C at the outside (native.rs): each function gives null, or a message that
// `tuneboard_free_message` takes back.
#include <ATen/core/Tensor.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cstring>
#include <mutex>

#include "guarded.h"
#include "kernels.h"
#include "product.h"
#include "share.h"

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

namespace tuneboard {
namespace {

const Kernels &kernels() {
#ifdef TUNEBOARD_AMX
  if (has_amx()) return kernels_amx();
#endif
#if defined(__x86_64__)
  static const Kernels &best =
      has_avx512() ? kernels_avx512()
      : __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? kernels_avx2()
                                                                      : kernels_portable();
  return best;
#else
  return kernels_portable();
#endif
}

int kind(const Tensor &x) {
  TORCH_CHECK(x.device().is_cpu(), "the fused operations are for the CPU");
  TORCH_CHECK(x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16,
              "float or bfloat16 is expected, not ", x.scalar_type());
  return x.scalar_type() == at::kBFloat16;
}

const float *floats(const Tensor &x, int64_t count) {
  TORCH_CHECK(x.is_contiguous() && x.scalar_type() == at::kFloat && x.numel() == count,
              "a vector of ", count, " floats is expected");
  return x.const_data_ptr<float>();
}

// The key of one dropout, from libtorch's generator: whoever seeds that seeds this.
uint64_t draw(double p) {
  if (p == 0.0) return 0;
  auto generator = at::detail::getDefaultCPUGenerator();
  std::lock_guard<std::mutex> lock(generator.mutex());
  return generator.get<at::CPUGeneratorImpl>()->random64();
}

// Rows that are worth a thread of their own.
int64_t grain(int64_t width) { return std::max<int64_t>(1, 16384 / std::max<int64_t>(1, width)); }

// Sums over rows that threads gather each on its own and that are added in order at the end, so that
// a number of threads means one result.
struct Sums {
  Tensor parts;
  int64_t width;

  explicit Sums(int64_t width)
      : parts(at::zeros({at::get_num_threads(), width}, at::kFloat)), width(width) {}
  float *mine() { return parts.data_ptr<float>() + at::get_thread_num() * width; }
  Tensor total() { return parts.size(0) == 1 ? parts.view({width}) : parts.sum(0); }
};

struct SelfAttention : Function<SelfAttention> {
  static Attention job(const Tensor &qkv, const Tensor &bias, const Tensor &key_bias,
                       const Tensor &probabilities, int64_t heads, bool causal, double p,
                       uint64_t key) {
    const int64_t width = qkv.size(2) / 3;
    return {qkv.size(0), qkv.size(1), heads, width / heads, causal, qkv.const_data_ptr(),
            floats(bias, 3 * width),
            key_bias.defined() ? floats(key_bias, qkv.size(0) * qkv.size(1)) : nullptr, p, key,
            probabilities.data_ptr()};
  }

  static Tensor forward(AutogradContext *context, const Tensor &qkv, const Tensor &bias,
                        const std::optional<Tensor> &hidden, int64_t heads, bool causal, double p) {
    const Tensor key_bias = hidden.value_or(Tensor());
    TORCH_CHECK(qkv.dim() == 3 && qkv.is_contiguous() && qkv.size(2) % (3 * heads * 16) == 0,
                "queries, keys and values of [batch, length, 3 * heads * size] are expected");
    const int64_t batch = qkv.size(0), length = qkv.size(1), width = qkv.size(2) / 3;
    Tensor out = at::empty({batch, length, width}, qkv.options());
    Tensor kept = at::empty({batch, heads, length, (length + 15) / 16 * 16}, qkv.options());
    const uint64_t key = draw(p);
    const Attention here = job(qkv, bias, key_bias, kept, heads, causal, p, key);
    const auto attend = kernels().attend[kind(qkv)];
    at::parallel_for(0, batch * heads, 1, [&](int64_t begin, int64_t end) {
      attend(here, out.data_ptr(), begin, end);
    });
    context->save_for_backward({qkv, bias, key_bias, kept});
    context->saved_data["heads"] = heads;
    context->saved_data["causal"] = causal;
    context->saved_data["p"] = p;
    context->saved_data["key"] = (int64_t)key;
    return out;
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor &qkv = saved[0], &bias = saved[1];
    const int64_t heads = context->saved_data["heads"].toInt();
    const Attention here =
        job(qkv, bias, saved[2], saved[3], heads, context->saved_data["causal"].toBool(),
            context->saved_data["p"].toDouble(), (uint64_t)context->saved_data["key"].toInt());
    const Tensor gradient = gradients[0].to(qkv.scalar_type()).contiguous();
    Tensor qkv_gradient = at::empty_like(qkv);
    Sums sums(qkv.size(2));
    const auto back = kernels().attend_back[kind(qkv)];
    at::parallel_for(0, here.batch * heads, 1, [&](int64_t begin, int64_t end) {
      back(here, gradient.const_data_ptr(), qkv_gradient.data_ptr(), sums.mine(), begin, end);
    });
    return {qkv_gradient, sums.total(), Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

struct BiasGelu : Function<BiasGelu> {
  static Tensor forward(AutogradContext *context, const Tensor &x, const Tensor &bias, bool by_tanh,
                        bool learns) {
    const int64_t width = x.size(-1), rows = x.numel() / width;
    TORCH_CHECK(x.is_contiguous() && width % 16 == 0, "rows of a multiple of 16 are expected");
    // The slope costs little beside y, and spares the way back x and all of the arithmetic.
    Tensor y = at::empty_like(x), slope = learns ? at::empty_like(x) : Tensor();
    const float *shift = floats(bias, width);
    const auto gelu = kernels().gelu[kind(x)][by_tanh];
    at::parallel_for(0, rows, grain(width), [&](int64_t begin, int64_t end) {
      gelu(x.const_data_ptr(), shift, y.data_ptr(), learns ? slope.data_ptr() : nullptr, width, begin, end);
    });
    context->save_for_backward({slope});
    return y;
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    const Tensor slope = context->get_saved_variables()[0];
    const int64_t width = slope.size(-1), rows = slope.numel() / width;
    const Tensor gradient = gradients[0].to(slope.scalar_type()).contiguous();
    Tensor x_gradient = at::empty_like(slope);
    Sums sums(width);
    const auto back = kernels().gelu_back[kind(slope)];
    at::parallel_for(0, rows, grain(width), [&](int64_t begin, int64_t end) {
      back(slope.const_data_ptr(), gradient.const_data_ptr(), x_gradient.data_ptr(), sums.mine(), width, begin,
           end);
    });
    return {x_gradient, sums.total(), Tensor(), Tensor()};
  }
};

struct Drop : Function<Drop> {
  static Tensor apply_once(const Tensor &x, double p, uint64_t key) {
    Tensor y = at::empty_like(x);
    const auto drop = kernels().drop[kind(x)];
    at::parallel_for(0, (x.numel() + 15) / 16, 1024, [&](int64_t begin, int64_t end) {
      drop(x.const_data_ptr(), y.data_ptr(), p, key, begin * 16, std::min(end * 16, x.numel()));
    });
    return y;
  }

  static Tensor forward(AutogradContext *context, const Tensor &x, double p) {
    TORCH_CHECK(x.is_contiguous(), "a contiguous tensor is expected");
    const uint64_t key = draw(p);
    context->saved_data["p"] = p;
    context->saved_data["key"] = (int64_t)key;
    return apply_once(x, p, key);
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    return {apply_once(gradients[0].contiguous(), context->saved_data["p"].toDouble(),
                       (uint64_t)context->saved_data["key"].toInt()),
            Tensor()};
  }
};

struct AddNorm : Function<AddNorm> {
  static Norm job(const Tensor &x, const Tensor &bias, const Tensor &residual, const Tensor &weight,
                  const Tensor &shift, double p, double eps, uint64_t key, const Tensor &sum,
                  const Tensor &statistics) {
    const int64_t width = sum.size(-1);
    float *mean = statistics.data_ptr<float>();
    return {width,
            x.defined() ? x.const_data_ptr() : nullptr,
            floats(bias, width),
            residual.defined() ? residual.const_data_ptr() : nullptr,
            floats(weight, width),
            floats(shift, width),
            p,
            eps,
            key,
            sum.data_ptr(),
            mean,
            mean + statistics.size(1)};
  }

  static Tensor forward(AutogradContext *context, const Tensor &x, const Tensor &bias,
                        const Tensor &residual, const Tensor &weight, const Tensor &shift, double p,
                        double eps) {
    const int64_t width = x.size(-1), rows = x.numel() / width;
    TORCH_CHECK(x.is_contiguous() && residual.is_contiguous() && width % 16 == 0 &&
                    x.sizes() == residual.sizes() && x.scalar_type() == residual.scalar_type(),
                "two alike tensors with rows of a multiple of 16 are expected");
    Tensor y = at::empty_like(x), sum = at::empty_like(x);
    Tensor statistics = at::empty({2, rows}, at::kFloat);
    const uint64_t key = draw(p);
    const Norm here = job(x, bias, residual, weight, shift, p, eps, key, sum, statistics);
    const auto norm = kernels().norm[kind(x)];
    at::parallel_for(0, rows, grain(width), [&](int64_t begin, int64_t end) {
      norm(here, y.data_ptr(), begin, end);
    });
    context->save_for_backward({bias, weight, shift, sum, statistics});
    context->saved_data["p"] = p;
    context->saved_data["key"] = (int64_t)key;
    return y;
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor &sum = saved[3];
    const int64_t width = sum.size(-1), rows = sum.numel() / width;
    const double p = context->saved_data["p"].toDouble();
    const Norm here = job(Tensor(), saved[0], Tensor(), saved[1], saved[2], p, 0.0,
                          (uint64_t)context->saved_data["key"].toInt(), sum, saved[4]);
    const Tensor gradient = gradients[0].to(sum.scalar_type()).contiguous();
    Tensor residual_gradient = at::empty_like(sum);
    // Without dropout the two are the same.
    Tensor x_gradient = p > 0.0 ? at::empty_like(sum) : residual_gradient;
    Sums sums(3 * width);
    const auto back = kernels().norm_back[kind(sum)];
    at::parallel_for(0, rows, grain(width), [&](int64_t begin, int64_t end) {
      back(here, gradient.const_data_ptr(), x_gradient.data_ptr(), residual_gradient.data_ptr(),
           sums.mine(), begin, end);
    });
    const Tensor total = sums.total().view({3, width});
    return {x_gradient, total[2], residual_gradient, total[0], total[1], Tensor(), Tensor()};
  }
};

// Weights in parts that are worth a thread's while.
struct Piece {
  const AdamSlot *slot;
  int64_t begin, end;
};

struct Pieces {
  std::vector<Piece> all;

  Pieces(const AdamSlot *slots, int64_t count) {
    const int64_t size = 1 << 16;
    for (const AdamSlot *slot = slots; slot < slots + count; slot++)
      for (int64_t begin = 0; begin < slot->size; begin += size)
        all.push_back({slot, begin, std::min(begin + size, slot->size)});
  }
};

// A part of a slot, without its gradient.
AdamSlot row_of(AdamSlot slot, int64_t first, int64_t size) {
  slot.weight += first;
  slot.mean += first;
  slot.square += first;
  slot.copy = slot.copy ? (uint16_t *)slot.copy + first : nullptr;
  slot.size = size;
  return slot;
}

} // namespace
} // namespace tuneboard

using namespace tuneboard;

extern "C" {

void tuneboard_free_message(char *message) { free(message); }

char *tuneboard_self_attention(Tensor **out, const Tensor *qkv, const Tensor *bias,
                               const Tensor *key_bias, int64_t heads, bool causal, double p) {
  return guarded([&] {
    const auto hidden = key_bias ? std::optional<Tensor>(*key_bias) : std::nullopt;
    *out = new Tensor(SelfAttention::apply(*qkv, *bias, hidden, heads, causal, p));
  });
}

bool tuneboard_has_products() { return has_amx() || widens(); }

bool tuneboard_widens() { return widens(); }

char *tuneboard_product(Tensor **out, const Tensor *x, const Tensor *weight, bool across) {
  return guarded([&] { *out = new Tensor(product(*x, *weight, across)); });
}

char *tuneboard_bias_gelu(Tensor **out, const Tensor *x, const Tensor *bias, bool by_tanh) {
  return guarded([&] {
    const bool learns = at::GradMode::is_enabled() && (x->requires_grad() || bias->requires_grad());
    *out = new Tensor(BiasGelu::apply(*x, *bias, by_tanh, learns));
  });
}

char *tuneboard_dropout(Tensor **out, const Tensor *x, double p) {
  return guarded([&] { *out = new Tensor(Drop::apply(*x, p)); });
}

char *tuneboard_add_norm(Tensor **out, const Tensor *x, const Tensor *bias, const Tensor *residual,
                         const Tensor *weight, const Tensor *shift, double p, double eps) {
  return guarded([&] {
    *out = new Tensor(AddNorm::apply(*x, *bias, *residual, *weight, *shift, p, eps));
  });
}

// The sum of squares of all gradients.
char *tuneboard_squares(const AdamSlot *slots, int64_t count, double *sum) {
  return guarded([&] {
    // Pieces of fixed size, so that the sum does not depend on the number of threads.
    const Pieces pieces(slots, count);
    std::vector<double> parts(pieces.all.size());
    share(parts.size(), [&](int64_t i) {
      const Piece &piece = pieces.all[i];
      parts[i] = kernels().squares(*piece.slot, piece.begin, piece.end);
    });
    *sum = 0.0;
    for (double part : parts) *sum += part;
  });
}

char *tuneboard_adam(const AdamSlot *slots, int64_t count, const AdamStep *step) {
  return guarded([&] {
    const Pieces pieces(slots, count);
    share(pieces.all.size(), [&](int64_t i) {
      const Piece &piece = pieces.all[i];
      kernels().adam(*piece.slot, *step, piece.begin, piece.end);
    });
  });
}

// A step of some rows of a table; the gradient, of floats, has these rows alone.
char *tuneboard_adam_rows(const AdamSlot *table, int64_t width, const int64_t *rows, int64_t count,
                          const AdamStep *step) {
  return guarded([&] {
    share(count, [&](int64_t i) {
      AdamSlot row = row_of(*table, rows[i] * width, width);
      row.gradient = (const float *)table->gradient + i * width;
      kernels().adam(row, *step, 0, width);
    });
  });
}

// Some rows' steps without gradients, of which each has done the first `done`.
char *tuneboard_adam_idle(const AdamSlot *table, int64_t width, const int64_t *rows, const int64_t *done,
                          int64_t count, const IdleStep *steps, int64_t all) {
  return guarded([&] {
    share(count, [&](int64_t i) {
      kernels().adam_idle(row_of(*table, rows[i] * width, width), steps + done[i], all - done[i], 0, width);
    });
  });
}

} // extern "C"
