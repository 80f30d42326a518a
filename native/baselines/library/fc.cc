// The FC ops by the matrix product of another library, as a plugin: `morphmlp bench blas` compiles it for each library
// and op. The morph FCs gather the rows before the product and scatter them after it, as a framework would.
//
//   -DMORPHMLP_LIBRARY="cblas.h" or "onednn.h"   -DMORPHMLP_OP="linear", "morph_fc" or "temporal_fc"
#include MORPHMLP_LIBRARY

#undef MORPHMLP_TUNED_KERNEL
#define MORPHMLP_TUNED_KERNEL(op, name, workspace, forward, backward)                       \
  [[maybe_unused]] static const void* unused[] = {reinterpret_cast<const void*>(workspace), \
                                                  reinterpret_cast<const void*>(forward),   \
                                                  reinterpret_cast<const void*>(backward)};
namespace morph_fc {
#include "../starter/morph_fc.cc"
}
namespace temporal_fc {
#include "../starter/temporal_fc.cc"
}

// dbias of a block of columns, in double to bound the rounding error.
struct ColumnSum {
  int64_t rows, n;
  morphmlp_values dy;
  float* dbias;
  void operator()(int64_t block) const {
    const int64_t first = block * 16, last = first + 16 < n ? first + 16 : n;
    double sum[16] = {};
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t j = first; j < last; ++j) sum[j - first] += dy.get(r * n + j);
    for (int64_t j = first; j < last; ++j) dbias[j] = static_cast<float>(sum[j - first]);
  }
};

static void* data_of(const morphmlp_tensor* t) { return t ? t->data : nullptr; }

static int32_t fc_forward(const morphmlp_call* call, int64_t rows, int64_t n, int64_t k, void* x, void* y) {
  const int32_t dtype = morphmlp_input(call, "x")->dtype;
  return product(call, rows, n, k, {x, dtype, false}, {data_of(morphmlp_input(call, "weight")), MORPHMLP_F32, true},
                 {y, dtype, false}, morphmlp_in(call, "bias"));
}

static int32_t fc_backward(const morphmlp_call* call, int64_t rows, int64_t n, int64_t k, void* x, void* dy, void* dx) {
  const int32_t dtype = morphmlp_input(call, "x")->dtype;
  float *dweight = morphmlp_out(call, "dweight"), *dbias = morphmlp_out(call, "dbias");
  void* weight = data_of(morphmlp_input(call, "weight"));
  const ColumnSum sums{rows, n, {dy, dtype}, dbias};
  return morphmlp_first(
      {dweight
           ? product(call, n, k, rows, {dy, dtype, true}, {x, dtype, false}, {dweight, MORPHMLP_F32, false}, nullptr)
           : MORPHMLP_OK,
       dbias ? morphmlp_rows(call, (n + 15) / 16, sums) : MORPHMLP_OK,
       dx ? product(call, rows, k, n, {dy, dtype, false}, {weight, MORPHMLP_F32, false}, {dx, dtype, false}, nullptr)
          : MORPHMLP_OK});
}

namespace linear {

size_t workspace(const morphmlp_call*, int32_t) { return 0; }

int32_t forward(const morphmlp_call* call) {
  const int64_t* w = morphmlp_input(call, "weight")->shape;
  const morphmlp_tensor* x = morphmlp_input(call, "x");
  return fc_forward(call, x->shape[0], w[0], w[1], x->data, data_of(morphmlp_output(call, "y")));
}

int32_t backward(const morphmlp_call* call) {
  const int64_t* w = morphmlp_input(call, "weight")->shape;
  const morphmlp_tensor* x = morphmlp_input(call, "x");
  return fc_backward(call, x->shape[0], w[0], w[1], x->data, data_of(morphmlp_input(call, "dy")),
                     data_of(morphmlp_output(call, "dx")));
}

}  // namespace linear

// Copies row r between the tokens and the gathered rows; padding reads as zero and is not written.
template <class Layout, bool kGather>
struct CopyRow {
  Layout at;
  int64_t bytes;  // of an element
  char *tokens, *rows;
  void operator()(int64_t r) const {
    const int64_t run = at.group_channels(), size = run * bytes;
    for (int64_t k = 0; k < at.width(); k += run) {
      char* row = rows + (r * at.width() + k) * bytes;
      const int64_t place = at.offset(r, k);
      if (kGather && place < 0)
        memset(row, 0, static_cast<size_t>(size));
      else if (place >= 0)
        memcpy(kGather ? row : tokens + place * bytes, kGather ? tokens + place * bytes : row,
               static_cast<size_t>(size));
    }
  }
};

template <class Layout, Layout (*layout_of)(const morphmlp_call*)>
struct Gathered {
  static int64_t element(const morphmlp_call* call) {
    return morphmlp_input(call, "x")->dtype == MORPHMLP_BF16 ? 2 : 4;
  }
  static int64_t row_bytes(const morphmlp_call* call, const Layout& at) {
    return (at.rows() * at.width() * element(call) + 63) / 64 * 64;
  }

  template <bool kGather>
  static int32_t copy(const morphmlp_call* call, const morphmlp_tensor* tokens, char* rows) {
    const Layout at = layout_of(call);
    const CopyRow<Layout, kGather> body{at, element(call), static_cast<char*>(tokens->data), rows};
    return morphmlp_rows(call, at.rows(), body);
  }

  static size_t workspace(const morphmlp_call* call, int32_t backward) {
    return static_cast<size_t>(row_bytes(call, layout_of(call)) * (backward ? 3 : 2));
  }

  static int32_t forward(const morphmlp_call* call) {
    const Layout at = layout_of(call);
    char *x = static_cast<char*>(call->workspace), *y = x + row_bytes(call, at);
    return morphmlp_first({copy<true>(call, morphmlp_input(call, "x"), x),
                           fc_forward(call, at.rows(), at.width(), at.width(), x, y),
                           copy<false>(call, morphmlp_output(call, "y"), y)});
  }

  static int32_t backward(const morphmlp_call* call) {
    const Layout at = layout_of(call);
    char *x = static_cast<char*>(call->workspace), *dy = x + row_bytes(call, at), *dx = dy + row_bytes(call, at);
    const morphmlp_tensor* to = morphmlp_output(call, "dx");
    const bool wanted = data_of(to) != nullptr;
    return morphmlp_first({copy<true>(call, morphmlp_input(call, "x"), x),
                           copy<true>(call, morphmlp_input(call, "dy"), dy),
                           fc_backward(call, at.rows(), at.width(), at.width(), x, dy, wanted ? dx : nullptr),
                           wanted ? copy<false>(call, to, dx) : MORPHMLP_OK});
  }
};

using MorphFc = Gathered<morph_fc::Layout, morph_fc::layout_of>;
using TemporalFc = Gathered<temporal_fc::Layout, temporal_fc::layout_of>;

extern "C" MORPHMLP_EXPORT const morphmlp_kernel* morphmlp_kernel_entry() {
  static const struct {
    const char* op;
    size_t (*workspace)(const morphmlp_call*, int32_t);
    int32_t (*forward)(const morphmlp_call*);
    int32_t (*backward)(const morphmlp_call*);
  } ops[] = {{"linear", linear::workspace, linear::forward, linear::backward},
             {"morph_fc", MorphFc::workspace, MorphFc::forward, MorphFc::backward},
             {"temporal_fc", TemporalFc::workspace, TemporalFc::forward, TemporalFc::backward}};
  static const double values[] = {0, 1};
  static const morphmlp_parameter parameter = {MORPHMLP_LIBRARY_PARAMETER, values, 2};
  static char flags[512];
  snprintf(flags, sizeof flags, "%s; %s", library_version(), MORPHMLP_FLAGS);
  for (const auto& op : ops)
    if (strcmp(op.op, MORPHMLP_OP) == 0) {
      static const morphmlp_kernel kernel = {
          MORPHMLP_KERNEL_ABI, MORPHMLP_CPU,           op.op,      "library", flags, op.workspace, op.forward,
          op.backward,         MORPHMLP_LIBRARY_TAKES, &parameter, 1};
      return &kernel;
    }
  return nullptr;
}
