import { runExample } from '../support/run_example';

test('own_kernel.ts builds, checks and ranks its kernel', async () => {
  const { status, lines, err } = await runExample('own_kernel.ts');
  expect({ status, err }).toMatchObject({ status: 0 });
  expect(lines).toContain('built my_gelu.so');
  expect(lines).toContainEqual(expect.stringMatching(/^right, on numbers of seed \d+$/));
  expect(lines).toContainEqual(expect.stringMatching(/^gelu .* my_gelu /));
});
