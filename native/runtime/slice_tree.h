// The tree by which the gradients of a step's slices are summed. It depends on the number of slices alone, not on who
// holds which: leaves are the slices, and a node of 2L slices that begins at a multiple of 2L is the sum of its halves.
// So ranks that hold neighbouring slices sum what lies within their part, and the rest of the tree gives the same bits.
#pragma once
#include <cstdint>
#include <vector>

namespace morphmlp {

template <class T>
struct SliceNode {
  int64_t first;
  int64_t count;
  T data;
};

// Whether `right`, which begins where `left` ends, is the other half of a node.
template <class T>
bool is_pair(const SliceNode<T>& left, const SliceNode<T>& right) {
  return left.count == right.count && left.first % (2 * left.count) == 0;
}

// Pushes a node on a stack of nodes in order, then merges pairs: add(a, b) is the data of their sum.
template <class T, class Add>
void push_node(std::vector<SliceNode<T>>& stack, SliceNode<T> node, Add&& add) {
  stack.push_back(node);
  while (stack.size() > 1 && is_pair(stack[stack.size() - 2], stack.back())) {
    const SliceNode<T> right = stack.back();
    stack.pop_back();
    SliceNode<T>& left = stack.back();
    left = {left.first, 2 * left.count, add(left.data, right.data)};
  }
}

// The sum of all slices, from right to left where their number is not a power of two.
template <class T, class Add>
T collapse(std::vector<SliceNode<T>>& stack, Add&& add) {
  T sum = stack.back().data;
  for (size_t i = stack.size() - 1; i-- > 0;) sum = add(stack[i].data, sum);
  return sum;
}

// The nodes that a rank with these neighbouring slices sums up to.
inline std::vector<SliceNode<int>> nodes_of(int64_t first, int64_t count) {
  std::vector<SliceNode<int>> stack;
  for (int64_t i = first; i < first + count; ++i) push_node(stack, SliceNode<int>{i, 1, 0}, [](int, int) { return 0; });
  return stack;
}

}  // namespace morphmlp
