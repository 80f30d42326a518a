/** The options that a function knows: all of its type's. */
export type Known<Options> = { readonly [Name in keyof Required<Options>]: true };

/** Throws for an option that does not exist, which would otherwise be ignored, and for anything but an object. */
export function expectOptions<Options extends object>(who: string, given: Options, known: Known<Options>): void {
  if (typeof given !== 'object' || given === null)
    throw new Error(`${who}: expected an object of options, got ${String(given)}`);
  for (const name in given) {
    if (Object.hasOwn(known, name)) continue;
    throw new Error(`${who}: unknown option '${name}', expected ${Object.keys(known).join(', ')}`);
  }
}
