/** Names of classes: known from elsewhere, or from a file with a name a line. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** What is known of the classes before a list is read. */
export interface ClassOptions {
  /** The classes in order, when they are known already (from the training list or a checkpoint). */
  known?: readonly string[];
  /** File of class names, a line each, in place of classes.txt beside the list. */
  classesFile?: string;
  /** Number of classes of the head, where it is given: labels must be below it, and names as many. */
  classes?: number;
}

/** Name of the optional file with one class name a line, beside the csv or in the folder of class folders. */
const CLASSES_FILE = 'classes.txt';

/** Lines of a text file without byte order mark, carriage returns and empty lines, with their numbers from 1. */
export function readLines(file: string): { text: string; number: number }[] {
  const lines = readFileSync(file, 'utf8')
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\n|\r/);
  return lines.map((text, i) => ({ text: text.trim(), number: i + 1 })).filter(({ text }) => text !== '');
}

/** The class names of a file, one a line. @throws where one is there twice */
export function readClassNames(file: string): string[] {
  const lines = readLines(file);
  const seen = new Map<string, number>();
  for (const { text, number } of lines) {
    const before = seen.get(text);
    if (before !== undefined) throw new Error(`${file}:${number}: class ${text} is on line ${before} already`);
    seen.set(text, number);
  }
  return lines.map(({ text }) => text);
}

/** The names, if they are as many as the head has classes. */
export function expectClasses(source: string, names: string[], { classes }: ClassOptions): string[] {
  if (classes === undefined || names.length === classes) return names;
  throw new Error(`${source}: ${names.length} classes, but the head is to have ${classes} (MODEL.NUM_CLASSES)`);
}

/** The names that are known, or that a file gives for a list in `folder`; undefined where there is neither. */
export function givenClasses(folder: string, options: ClassOptions): string[] | undefined {
  if (options.known) return [...options.known];
  const beside = path.join(folder, CLASSES_FILE);
  const file = options.classesFile ?? (existsSync(beside) ? beside : undefined);
  if (file === undefined) return undefined;
  if (!existsSync(file)) throw new Error(`${file}: no such file of class names`);
  return expectClasses(file, readClassNames(file), options);
}
