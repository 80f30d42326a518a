/** Lists the tensors of a .safetensors or .pth file: element type, shape and root mean square of each. */
import { readTensors } from 'morphmlp';

const [file] = process.argv.slice(2);
if (!file) throw new Error('expected FILE: a .safetensors or PyTorch file');

const tensors = readTensors(file);
for (const [name, { dtype, shape, data }] of tensors) {
  const isNumber = dtype !== 'F16' && dtype !== 'BF16'; // these two are raw bits in a Uint16Array
  const squares = isNumber ? Array.from(data as Iterable<number | bigint>, (x) => Number(x) ** 2) : [];
  const rms = Math.sqrt(squares.reduce((a, b) => a + b, 0) / squares.length);
  const shown = isNumber && squares.length > 0 ? `  rms ${rms.toPrecision(3)}` : '';
  console.log(`${name}  ${dtype} [${shape.join(', ')}]${shown}`);
}
const elements = [...tensors.values()].reduce((sum, { data }) => sum + data.length, 0);
console.log(`${tensors.size} tensors, ${elements} elements`);
