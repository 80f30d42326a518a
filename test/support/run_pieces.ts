// Runs in a separate process without free blocks of other tests: measures the memory of tensors of these sizes, in MiB, beyond one of 300 MiB.
import { memory } from '../../src/core/runtime';
import { empty } from '../../src/core/tensor';

const megabytes = (n: number) => empty([n << 18]);
const held = () => memory().live + memory().cached;

megabytes(300).dispose();
const all = held();
for (const sizes of [Array.from({ length: 250 }, () => 1), [298], [120, 90, 60], [299]]) {
  const blocks = sizes.map(megabytes);
  console.log(held() - all);
  blocks.forEach((t) => t.dispose());
  console.log(held() - all);
}
