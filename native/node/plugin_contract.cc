#include "node/plugin_contract.h"

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "runtime/error.h"

namespace morphmlp {
namespace {

enum { kParameter = 0, kTokens = 1, kOptional = 2, kConstant = 4 };

// Shapes by letters: each stands for one size in all tensors of a call. Tokens have the type of the call, all else is
// f32. A constant has no gradient.
struct Declared {
  std::string name, shape;
  int kind = kParameter;
};
struct Contract {
  std::string op;
  std::vector<Declared> inputs;
  std::string y;
  std::vector<std::string> attributes;
};

const Declared kGamma = {"gamma", "c"}, kBeta = {"beta", "c"}, kScale = {"scale", "b", kOptional | kConstant};

const Contract& contract_of(const std::string& op) {
  static const std::vector<Contract> all = {
      {"gelu", {{"x", "n", kTokens}}, "n", {}},
      {"layer_norm", {{"x", "rc", kTokens}, kGamma, kBeta}, "rc", {"eps"}},
      {"linear", {{"x", "rk", kTokens}, {"weight", "nk"}, {"bias", "n", kOptional}}, "rn", {}},
      {"morph_fc",
       {{"x", "fhwc", kTokens}, {"weight", "cc"}, {"bias", "c", kOptional}},
       "fhwc",
       {"chunk", "vertical", "strided"}},
      {"temporal_fc", {{"x", "btpc", kTokens}, {"weight", "mm"}, {"bias", "m", kOptional}}, "btpc", {"groups"}},
      {"norm_mlp",
       {{"x", "brc", kTokens}, kGamma, kBeta, {"w1", "hc"}, {"b1", "h"}, {"w2", "ch"}, {"b2", "c"}, kScale},
       "brc",
       {"eps"}},
      {"norm_temporal",
       {{"x", "btpc", kTokens},
        kGamma,
        kBeta,
        {"weight", "mm"},
        {"bias", "m", kOptional},
        {"proj", "cc"},
        {"proj_bias", "c"}},
       "btpc",
       {"eps", "groups"}},
      {"norm_spatial",
       {{"x", "bthwc", kTokens},
        {"xt", "bthwc", kTokens},
        kGamma,
        kBeta,
        {"weight0", "cc"},
        {"bias0", "c", kOptional},
        {"weight1", "cc"},
        {"bias1", "c", kOptional},
        {"weight2", "cc", kOptional},
        {"bias2", "c", kOptional},
        {"fc1", "dc"},
        {"fc1_bias", "d"},
        {"fc2", "ed"},
        {"fc2_bias", "e"},
        {"proj", "cc"},
        {"proj_bias", "c"},
        kScale},
       "bthwc",
       {"eps", "chunk", "strided", "branches"}},
      {"conv3d",
       {{"x", "bpqrs", kTokens}, {"weight", "oijkl"}, {"bias", "o", kOptional}},
       "bxyzo",
       {"planar", "groups", "stride_t", "stride_h", "stride_w", "padding_t", "padding_h", "padding_w",
        "padding_behind_t", "padding_behind_h", "padding_behind_w"}},
  };
  for (const Contract& contract : all)
    if (contract.op == op) return contract;
  fail("op '" + op + "' is unknown");
}

std::string shown(const morphmlp_tensor& t) {
  std::string out;
  for (int32_t i = 0; i < t.rank; ++i) out += (i ? ", " : "") + std::to_string(t.shape[i]);
  return "[" + out + "]";
}

class Check {
 public:
  Check(const morphmlp_call& call, const morphmlp_kernel& kernel, bool backward)
      : call_(call), kernel_(kernel), backward_(backward), contract_(contract_of(call.op)) {}

  void run() {
    int32_t gradients = 0;
    for (const Declared& d : contract_.inputs) tensor(call_.inputs, call_.input_count, d);
    if (backward_) {
      tensor(call_.inputs, call_.input_count, {"dy", contract_.y, kTokens});
      for (const Declared& d : contract_.inputs)
        if (!(d.kind & kConstant)) {
          tensor(call_.outputs, call_.output_count, {"d" + d.name, d.shape, (d.kind & kTokens) | kOptional});
          ++gradients;
        }
    } else {
      tensor(call_.outputs, call_.output_count, {"y", contract_.y, kTokens});
    }
    const auto n = static_cast<int32_t>(contract_.inputs.size());
    number_of("inputs", call_.input_count, n + (backward_ ? 1 : 0));
    number_of("outputs", call_.output_count, backward_ ? gradients : 1);
    attributes();
    const int32_t parameters = kernel_.abi >= 2 ? kernel_.parameter_count : 0;
    number_of("attributes", call_.attribute_count, static_cast<int32_t>(contract_.attributes.size()) + parameters);
    const int32_t takes = kernel_.abi >= 2 && kernel_.dtypes ? kernel_.dtypes : MORPHMLP_TAKES_F32;
    if (!(takes & (dtype_ == MORPHMLP_BF16 ? MORPHMLP_TAKES_BF16 : MORPHMLP_TAKES_F32)))
      fail(std::string("it does not take activations in ") + dtype_name(dtype_) + ": its description lists others");
  }

 private:
  static void number_of(const char* what, int32_t got, int32_t expected) {
    if (got != expected)
      fail(std::string(what) + ": expected " + std::to_string(expected) + ", got " + std::to_string(got));
  }

  static const char* dtype_name(int32_t dtype) { return dtype == MORPHMLP_BF16 ? "bf16" : "f32"; }

  void dtype_of(const morphmlp_tensor& t, bool tokens) {
    if (!t.data) return;
    const int32_t expected = !tokens ? static_cast<int32_t>(MORPHMLP_F32) : dtype_ < 0 ? t.dtype : dtype_;
    if (tokens) dtype_ = expected;
    if (t.dtype != expected)
      fail(std::string("tensor ") + t.name + ": expected " + dtype_name(expected) + ", got " + dtype_name(t.dtype));
  }

  void tensor(const morphmlp_tensor* list, int32_t count, const Declared& declared) {
    const morphmlp_tensor* t = morphmlp_find(list, count, declared.name.c_str());
    if (!t) fail("tensor " + declared.name + " is missing");
    bool fits = t->rank == static_cast<int32_t>(declared.shape.size());
    int64_t length = 1;
    for (int32_t i = 0; fits && i < t->rank; ++i) {
      const int64_t size = sizes_.emplace(declared.shape[static_cast<size_t>(i)], t->shape[i]).first->second;
      fits = t->shape[i] == size;
      length = length > 0 && t->shape[i] > 0 ? 1 : 0;
    }
    if (!fits) fail("tensor " + declared.name + ": shape " + shown(*t) + " does not fit the other tensors");
    dtype_of(*t, declared.kind & kTokens);
    if (!(declared.kind & kOptional) && length > 0 && !t->data)
      fail("tensor " + declared.name + ": expected a buffer, got null");
  }

  // A whole number of 1 or more that divides the channels.
  void divisor(const char* name) const {
    const double value = morphmlp_attribute_of(&call_, name);
    if (!(value >= 1) || value != std::floor(value) || std::fmod(static_cast<double>(sizes_.at('c')), value) != 0)
      fail(std::string("attribute ") + name + ": expected a divisor of the " + std::to_string(sizes_.at('c')) +
           " channels, got " + std::to_string(value));
  }

  bool given(const std::string& name) const {
    for (int32_t i = 0; i < call_.attribute_count; ++i)
      if (name == call_.attributes[i].name) return true;
    return false;
  }

  int64_t whole(const std::string& name, int64_t least) const {
    const double value = morphmlp_attribute_of(&call_, name.c_str());
    if (!(value >= static_cast<double>(least)) || value != std::floor(value) || value > 1e9)
      fail("attribute " + name + ": expected a whole number of " + std::to_string(least) + " or more, got " +
           std::to_string(value));
    return static_cast<int64_t>(value);
  }

  // Rows of the temporal FC have T S elements.
  void temporal() const {
    divisor("groups");
    const auto groups = static_cast<int64_t>(morphmlp_attribute_of(&call_, "groups"));
    if (sizes_.at('m') != sizes_.at('t') * (sizes_.at('c') / groups))
      fail("tensor weight: expected rows of T C / groups elements, got " + std::to_string(sizes_.at('m')));
  }

  void spatial() const {
    divisor("chunk");
    const int64_t branches = whole("branches", 2), strided = whole("strided", 0);
    if (branches != (strided ? 2 : 3)) fail("attribute branches: expected 2 if strided, otherwise 3");
    if (sizes_.at('e') != sizes_.at('c') * branches) fail("tensor fc2: expected C branches rows");
    const morphmlp_tensor* third = morphmlp_input(&call_, "weight2");
    if (branches == 3 && sizes_.at('c') > 0 && !third->data) fail("tensor weight2: expected a buffer, got null");
  }

  void convolution() const {
    const int64_t groups = whole("groups", 1), planar = whole("planar", 0);
    const int64_t channels = sizes_.at(planar ? 'p' : 's');
    if (channels != sizes_.at('i') * groups || sizes_.at('o') % groups != 0 || (groups > 1 && planar))
      fail("tensor weight: expected filters of in / groups channels, and outputs that groups divides");
    const char *in = planar ? "qrs" : "pqr", *kernel = "jkl", *out = "xyz", *axis = "thw";
    for (int d = 0; d < 3; ++d) {
      const std::string end = std::string("_") + axis[d];
      const int64_t padded = sizes_.at(in[d]) + whole("padding" + end, 0) + whole("padding_behind" + end, 0);
      const int64_t size = sizes_.at(kernel[d]);
      if (size < 1 || size > padded || sizes_.at(out[d]) != (padded - size) / whole("stride" + end, 1) + 1)
        fail("tensor y: its size along axis " + end.substr(1) + " does not fit the others");
    }
  }

  void attributes() const {
    for (const std::string& name : contract_.attributes)
      if (!given(name)) fail("attribute " + name + " is missing");
    if (contract_.op == "morph_fc") divisor("chunk");
    if (contract_.op == "temporal_fc" || contract_.op == "norm_temporal") temporal();
    if (contract_.op == "norm_spatial") spatial();
    if (contract_.op == "conv3d") convolution();
  }

  const morphmlp_call& call_;
  const morphmlp_kernel& kernel_;
  const bool backward_;
  const Contract& contract_;
  std::map<char, int64_t> sizes_;
  int32_t dtype_ = -1;  // of the tokens; -1 before any was seen
};

}  // namespace

void check_plugin_call(const morphmlp_call& call, const morphmlp_kernel& kernel, bool backward) {
  Check(call, kernel, backward).run();
}

}  // namespace morphmlp
