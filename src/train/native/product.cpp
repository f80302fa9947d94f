#include "product.h"

#include <ATen/ops/_unsafe_view.h>
#include <ATen/ops/mm.h>
#include <torch/csrc/autograd/custom_function.h>

#ifdef TUNEBOARD_AMX
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "amx.h"
#include "share.h"
#endif

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

namespace tuneboard {
namespace {

void must_fit(const Tensor &x, const Tensor &weight, bool across) {
  TORCH_CHECK(x.is_contiguous() && weight.is_contiguous() && x.size(-1) == weight.size(across) &&
                  weight.size(0) % 32 == 0 && weight.size(1) % 32 == 0 && x.scalar_type() == at::kBFloat16,
              "bfloat16 matrices with sides of multiples of 32 are expected");
}

Tensor wide(const Tensor &x) { return x.to(at::kFloat); }

// x W, or x W^T if `across`, multiplied in 32 bits. What is given is no view: adapters add to it where it is. W may have as many: its gradient has them, too.
struct Widened : Function<Widened> {
  static Tensor forward(AutogradContext *context, const Tensor &x, const Tensor &weight, bool across) {
    must_fit(x, weight, across);
    context->save_for_backward({x, weight});
    context->saved_data["across"] = across;
    auto sizes = x.sizes().vec();
    sizes.back() = weight.size(!across);
    const Tensor right = wide(weight);
    const Tensor product = at::mm(wide(x.view({-1, x.size(-1)})), across ? right.t() : right);
    return at::_unsafe_view(product.to(at::kBFloat16), sizes);
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1];
    const bool across = context->saved_data["across"].toBool();
    const Tensor gradient = wide(gradients[0]).contiguous().view({-1, weight.size(!across)});
    Tensor x_gradient, weight_gradient;
    if (context->needs_input_grad(0)) {
      const Tensor right = wide(weight);
      x_gradient = at::mm(gradient, across ? right : right.t()).to(at::kBFloat16).view(x.sizes());
    }
    if (context->needs_input_grad(1)) {
      const Tensor rows = wide(x.view({-1, x.size(-1)}));
      weight_gradient = across ? at::mm(gradient.t(), rows) : at::mm(rows.t(), gradient);
      weight_gradient = weight_gradient.to(weight.scalar_type());
    }
    return {x_gradient, weight_gradient, Tensor()};
  }
};

} // namespace

bool widens() {
#if defined(__x86_64__)
  static const bool is_slow = __builtin_cpu_is("intel") && has_avx512() && !has_amx();
  return is_slow;
#else
  return false;
#endif
}

#ifdef TUNEBOARD_AMX
namespace {

const uint16_t *halves(const Tensor &x) { return (const uint16_t *)x.const_data_ptr(); }

// A factor [inner, columns] in parts of `width` columns, each summed over `inner` in steps of 32.
struct Packed {
  Tensor all; // [parts, steps * 32 * width]
  int64_t steps;

  Packed(const Tensor &like, int64_t inner, int64_t columns, int64_t width)
      : steps((inner + 31) / 32) {
    all = at::empty({columns / width, steps * 32 * width}, like.options());
  }
  int64_t apart() const { return all.size(1); }
  uint16_t *at(int64_t part, int64_t step, int64_t tile) {
    return (uint16_t *)all.data_ptr() + part * apart() + step * tile;
  }
};

// [columns, inner], whose rows are the columns of the right factor.
Packed panels_across(const Tensor &right) {
  const int64_t inner = right.size(1), columns = right.size(0);
  Packed packed(right, inner, columns, 32);
  share(columns / 32, [&](int64_t i) {
    amx_pack_across(halves(right) + i * 32 * inner, inner, packed.at(i, 0, 0));
  });
  return packed;
}

// `pack` is amx_pack for a right factor [inner, columns], or amx_pack_left for a left one whose rows
// are the columns.
template <class F> Packed packed_by(const Tensor &factor, int64_t width, F pack) {
  const int64_t inner = factor.size(0), columns = factor.size(1);
  Packed packed(factor, inner, columns, width);
  share(packed.steps, [&](int64_t i) {
    pack(halves(factor) + i * 32 * columns, std::min<int64_t>(32, inner - i * 32), columns,
         packed.at(0, i, 32 * width), packed.apart());
  });
  return packed;
}

Tensor multiplied(AmxProduct job, const Packed &panels) {
  Tensor out = at::empty({job.rows, job.columns}, panels.all.options());
  job.right = halves(panels.all);
  job.out = (uint16_t *)out.data_ptr();
  share(amx_tasks(job), [&](int64_t task) { amx_multiply(job, task); });
  return out;
}

// left [rows, inner] times the panels.
Tensor times(const Tensor &left, const Packed &panels) {
  const int64_t rows = left.size(0), inner = left.size(1), rest = rows % 32;
  Tensor tail;
  if (rest) {
    tail = at::zeros({32, inner}, left.options());
    tail.narrow(0, 0, rest).copy_(left.narrow(0, rows - rest, rest));
  }
  return multiplied({rows, panels.all.size(0) * 32, panels.steps, halves(left), 16 * inner, 32, inner,
                     rest ? halves(tail) : nullptr, nullptr, nullptr},
                    panels);
}

// left [inner, rows] transposed times right [inner, columns].
Tensor across_times(const Tensor &left, const Tensor &right) {
  const Packed blocks = packed_by(left, 16, amx_pack_left);
  return multiplied({left.size(1), right.size(1), blocks.steps, halves(blocks.all), blocks.apart(), 512, 32,
                     nullptr, nullptr, nullptr},
                    packed_by(right, 32, amx_pack));
}

// x W, or x W^T if `across`.
struct Product : Function<Product> {
  static Tensor forward(AutogradContext *context, const Tensor &x, const Tensor &weight, bool across) {
    const int64_t inner = weight.size(across), outputs = weight.size(!across);
    must_fit(x, weight, across);
    TORCH_CHECK(weight.scalar_type() == at::kBFloat16, "AMX multiplies bfloat16");
    context->save_for_backward({x, weight});
    context->saved_data["across"] = across;
    auto sizes = x.sizes().vec();
    sizes.back() = outputs;
    const Tensor rows = x.view({-1, inner});
    return at::_unsafe_view(times(rows, across ? panels_across(weight) : packed_by(weight, 32, amx_pack)), sizes);
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1];
    const bool across = context->saved_data["across"].toBool();
    const Tensor rows = x.view({-1, weight.size(across)});
    const Tensor gradient = gradients[0].to(at::kBFloat16).contiguous().view({-1, weight.size(!across)});
    Tensor x_gradient, weight_gradient;
    if (context->needs_input_grad(0))
      x_gradient =
          times(gradient, across ? packed_by(weight, 32, amx_pack) : panels_across(weight)).view(x.sizes());
    if (context->needs_input_grad(1))
      weight_gradient = across ? across_times(gradient, rows) : across_times(rows, gradient);
    return {x_gradient, weight_gradient, Tensor()};
  }
};

} // namespace

bool has_amx() {
  static const bool has = [] {
    const int REQUEST_PERMISSION = 0x1023, TILE_DATA = 18; // arch_prctl(2), linux/prctl.h
    unsigned int eax, ebx, ecx, edx;
    const unsigned int BFLOAT16 = 1u << 22, TILES = 1u << 24;
    return has_avx512() && __builtin_cpu_supports("avx512bf16") &&
           __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (edx & BFLOAT16) && (edx & TILES) &&
           syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
  }();
  return has;
}

Tensor product(const Tensor &x, const Tensor &weight, bool across) {
  return has_amx() ? Product::apply(x, weight, across) : Widened::apply(x, weight, across);
}

#else

bool has_amx() { return false; }

Tensor product(const Tensor &x, const Tensor &weight, bool across) { return Widened::apply(x, weight, across); }

#endif

} // namespace tuneboard
