/** Vector accesses of the kernels go through functions that the emulation checks for alignment (test/emulator/barrier_test.sh). */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

const root = path.join(__dirname, '..', '..', 'native', 'cuda');
// A pointer to several values, or to a type of that size, made from another pointer; and loads by intrinsics or PTX.
const UNCHECKED =
  /reinterpret_cast<\s*(?:const\s+|volatile\s+)*(?:Words|u?(?:int|float|short|char|long|longlong|double)[2348]|u?int(?:32|64)_t|unsigned(?: long)*|double|float|Vec<\w+>)\s*\*+\s*>|__ld[gcs]\w*\(|\b(?:ld|st)\.(?:global|shared|volatile|relaxed)|__nv_bfloat16/;
// They define the checked functions. multi_tensor_apply.h only removes const from a list of pointers.
const DEFINING = ['numbers.h'];

test('no kernel dereferences a pointer to several values but through load_words, store_words and store', () => {
  const files = readdirSync(root, { recursive: true }).map(String);
  const sources = files.filter((file) => /\.(cu|h)$/.test(file));
  expect(sources.length).toBeGreaterThan(40);
  const found = sources.flatMap((file) =>
    readFileSync(path.join(root, file), 'utf8')
      .split('\n')
      .flatMap((line, i) =>
        UNCHECKED.test(line) && !DEFINING.includes(file) ? [`${file}:${i + 1}: ${line.trim()}`] : [],
      ),
  );
  expect(found).toEqual([]);
  const numbers = readFileSync(path.join(root, 'numbers.h'), 'utf8');
  expect(numbers.match(new RegExp(UNCHECKED, 'g'))).toHaveLength(3); // as a GPU compiles them; the emulation has checks in their place
  expect(numbers.match(/shim::check_aligned/g)).toHaveLength(3);
});
