// What GPUs want and `tch` has no words for: one launch for many tensors, attention of texts of various lengths.
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_copy.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_flash_attention_forward.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/stack.h>

#include "guarded.h"

using at::Tensor;
using List = std::vector<Tensor>;

// As `Job` in many.rs.
struct ManyAdam {
  const Tensor *const *weights, *const *gradients, *const *means, *const *squares;
  // 16-bit copies of the weights; null where there is none.
  const Tensor *const *copies;
  // Each tensor's learning rate and decay.
  const double *lrs, *decays;
  int64_t count;
  const Tensor *factor;
  double betas[2], eps, step;
};

// As `Flash` in many.rs.
struct ManyTexts {
  int64_t longest;
  double scale, p;
  bool is_causal;
  // Negative: no limit.
  int64_t reach;
};

namespace {

List list(const Tensor *const *tensors, int64_t count) {
  List all;
  all.reserve(count);
  for (int64_t i = 0; i < count; i++) all.push_back(*tensors[i]);
  return all;
}

// The same numbers in 32 bits and in the order of `likes` in memory, as the fused kernel wants them: in one block
// and one launch for all that are not so already.
List in_full(const List &tensors, const List &likes) {
  auto is_so = [&](size_t i) {
    return tensors[i].scalar_type() == at::kFloat && tensors[i].strides() == likes[i].strides();
  };
  List all, halves, places;
  int64_t total = 0, at = 0;
  for (size_t i = 0; i < tensors.size(); i++) total += is_so(i) ? 0 : tensors[i].numel();
  Tensor block = total ? at::empty({total}, likes.front().options()) : Tensor();
  for (size_t i = 0; i < tensors.size(); i++) {
    const Tensor &t = tensors[i];
    if (is_so(i)) {
      all.push_back(t);
      continue;
    }
    Tensor place = block.as_strided(t.sizes(), likes[i].strides(), at);
    at += t.numel();
    halves.push_back(t);
    places.push_back(place);
    all.push_back(place);
  }
  if (total) at::_foreach_copy_(places, halves);
  return all;
}

} // namespace

extern "C" {

// The norm of all elements of all tensors, 32-bit, on their device.
char *tuneboard_many_norm(Tensor **out, const Tensor *const *tensors, int64_t count) {
  return tuneboard::guarded([&] {
    at::NoGradGuard guard;
    List norms = at::_foreach_norm(list(tensors, count), 2, at::kFloat);
    *out = new Tensor(at::linalg_vector_norm(at::stack(norms)));
  });
}

// An AdamW step of all weights. `factor`, on their device or null, is what the gradients are multiplied by.
char *tuneboard_many_adamw(const ManyAdam *job) {
  return tuneboard::guarded([&] {
    at::NoGradGuard guard;
    const int64_t count = job->count;
    if (count == 0) return;
    List weights = list(job->weights, count), means = list(job->means, count);
    List squares = list(job->squares, count), gradients = in_full(list(job->gradients, count), weights);
    if (job->factor) {
      // What was copied is ours; what was not is nobody's any more: a gradient serves one step.
      at::_foreach_mul_(gradients, *job->factor);
    }
    const Tensor step = at::full({}, job->step, weights.front().options());
    for (int64_t begin = 0; begin < count;) {
      int64_t end = begin + 1;
      auto alike = [&](int64_t i) { return job->lrs[i] == job->lrs[begin] && job->decays[i] == job->decays[begin]; };
      while (end < count && alike(end)) end++;
      auto part = [&](const List &all) { return at::TensorList(all).slice(begin, end - begin); };
      const List steps(end - begin, step);
      at::_fused_adamw_(part(weights), part(gradients), part(means), part(squares), {}, steps, job->lrs[begin],
                        job->betas[0], job->betas[1], job->decays[begin], job->eps, false, false);
      begin = end;
    }
    List copies, originals;
    for (int64_t i = 0; i < count; i++)
      if (job->copies[i]) copies.push_back(*job->copies[i]), originals.push_back(weights[i]);
    if (!copies.empty()) at::_foreach_copy_(copies, originals);
  });
}

// Attention of query, key and value `[tokens, heads, size]` within each of the texts that `cu_seqlens` bounds.
char *tuneboard_flash(Tensor **out, const Tensor *query, const Tensor *key, const Tensor *value,
                      const Tensor *cu_seqlens, const ManyTexts *how) {
  return tuneboard::guarded([&] {
    const auto left = how->reach < 0 ? std::nullopt : std::optional<int64_t>(how->reach);
    const auto right = how->is_causal && left ? std::optional<int64_t>(0) : left;
    auto made = at::_flash_attention_forward(*query, *key, *value, *cu_seqlens, *cu_seqlens, how->longest, how->longest,
                                             how->p, how->is_causal, false, how->scale, left, right);
    *out = new Tensor(std::get<0>(made));
  });
}

} // extern "C"
