#include "node/plugin_contract.h"

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "runtime/error.h"

namespace morphmlp {
namespace {

// Shapes by letters: each stands for one size in all tensors of a call.
struct Declared {
  std::string name, shape;
};
struct Contract {
  std::string op;
  std::vector<Declared> inputs;
  std::string y;
  std::vector<std::string> attributes;
};

const Contract& contract_of(const std::string& op) {
  static const std::vector<Contract> all = {
      {"gelu", {{"x", "n"}}, "n", {}},
      {"layer_norm", {{"x", "rc"}, {"gamma", "c"}, {"beta", "c"}}, "rc", {"eps"}},
      {"linear", {{"x", "rk"}, {"weight", "nk"}, {"bias", "n"}}, "rn", {}},
      {"morph_fc", {{"x", "fhwc"}, {"weight", "cc"}, {"bias", "c"}}, "fhwc", {"chunk", "vertical", "strided"}},
      {"temporal_fc", {{"x", "btpc"}, {"weight", "mm"}, {"bias", "m"}}, "btpc", {"groups"}},
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
  Check(const morphmlp_call& call, bool backward) : call_(call), backward_(backward), contract_(contract_of(call.op)) {}

  void run() {
    for (const Declared& d : contract_.inputs) tensor(call_.inputs, call_.input_count, d, d.name == "bias");
    if (backward_) {
      tensor(call_.inputs, call_.input_count, {"dy", contract_.y}, false);
      for (const Declared& d : contract_.inputs)
        tensor(call_.outputs, call_.output_count, {"d" + d.name, d.shape}, true);
    } else {
      tensor(call_.outputs, call_.output_count, {"y", contract_.y}, false);
    }
    const auto n = static_cast<int32_t>(contract_.inputs.size());
    number_of("inputs", call_.input_count, n + (backward_ ? 1 : 0));
    number_of("outputs", call_.output_count, backward_ ? n : 1);
    attributes();
    number_of("attributes", call_.attribute_count, static_cast<int32_t>(contract_.attributes.size()));
  }

 private:
  static void number_of(const char* what, int32_t got, int32_t expected) {
    if (got != expected)
      fail(std::string(what) + ": expected " + std::to_string(expected) + ", got " + std::to_string(got));
  }

  void tensor(const morphmlp_tensor* list, int32_t count, const Declared& declared, bool optional) {
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
    if (!optional && length > 0 && !t->data) fail("tensor " + declared.name + ": expected a buffer, got null");
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

  void attributes() const {
    for (const std::string& name : contract_.attributes)
      if (!given(name)) fail("attribute " + name + " is missing");
    if (contract_.op == "morph_fc") divisor("chunk");
    if (contract_.op != "temporal_fc") return;
    divisor("groups");
    const auto groups = static_cast<int64_t>(morphmlp_attribute_of(&call_, "groups"));
    if (sizes_.at('m') != sizes_.at('t') * (sizes_.at('c') / groups))
      fail("tensor weight: expected rows of T C / groups elements, got " + std::to_string(sizes_.at('m')));
  }

  const morphmlp_call& call_;
  const bool backward_;
  const Contract& contract_;
  std::map<char, int64_t> sizes_;
};

}  // namespace

void check_plugin_call(const morphmlp_call& call, bool backward) { Check(call, backward).run(); }

}  // namespace morphmlp
