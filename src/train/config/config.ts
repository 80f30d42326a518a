/** Reads configurations: the authors' YAML files, our own presets in the same form, and `KEY VALUE` overrides. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { Document, isAlias, isMap, isNode, isSeq, LineCounter, parse, parseDocument, visit, type Pair } from 'yaml';
import { readWholeFile } from '../../formats/file';
import { didYouMean } from '../../terminal/format';
import { KEYS, type Config, type KeyName } from './keys';

/** Folder of the presets, a sibling of `src` and `dist`. */
const PRESETS = path.join(__dirname, '..', '..', '..', 'configs');

/** A value for a key, and its origin. */
export interface Setting {
  key: string;
  value: unknown;
  where: string;
}

/** The authors' defaults. */
export function defaults(): Config {
  return Object.fromEntries(Object.entries(KEYS).map(([name, key]) => [name, key.default])) as Config;
}

const isKnown = (name: string): name is KeyName => Object.hasOwn(KEYS, name);

/** Whether a word is a configuration key, or has the form of one. */
export const isKey = (word: string): boolean => isKnown(word) || /^[A-Z_]+(\.[A-Z0-9_]+)+$/.test(word);

/** Applies settings to a configuration in order. @throws for an unknown key or a value of a wrong type */
export function withSettings(config: Config, settings: readonly Setting[]): Config {
  const result: Record<string, unknown> = { ...config };
  for (const { key, value, where } of settings) {
    if (!isKnown(key)) throw new Error(`${where}: unknown key ${key}${didYouMean(key, Object.keys(KEYS))}`);
    const got = KEYS[key].read(value);
    if ('expected' in got) throw new Error(`${where}: ${key}: expected ${got.expected}, got ${JSON.stringify(value)}`);
    result[key] = got.value;
  }
  return result as Config;
}

/** Error for invalid YAML, with the parser's first message without its excerpt; null if valid. */
function yamlError(file: string, { errors }: Document): Error | null {
  const [first] = errors;
  return first ? new Error(`${file}: not valid YAML: ${first.message.split('\n')[0]!.replace(/:$/, '')}`) : null;
}

/** Longest chain of `_BASE_` files. */
const DEEPEST = 8;

/** Settings of a YAML file, with sections joined to keys by dots; those of its `_BASE_` file come first. */
export function readSettings(file: string, above: readonly string[] = []): Setting[] {
  const chain = [...above, path.resolve(file)];
  if (chain.indexOf(path.resolve(file)) < chain.length - 1)
    throw new Error(`${file}: _BASE_ leads in a circle: ${chain.join(' -> ')}`);
  if (chain.length > DEEPEST) throw new Error(`${file}: more than ${DEEPEST} files based one on the other (_BASE_)`);
  const settings = settingsIn(file);
  const base = settings.findLast(({ key }) => key === '_BASE_');
  if (!base) return settings;
  return [...readSettings(baseOf(file, base), chain), ...settings.filter(({ key }) => key !== '_BASE_')];
}

/** Path of a `_BASE_` file, relative to the file that names it. */
function baseOf(file: string, { value, where }: Setting): string {
  if (typeof value !== 'string' || !/\.ya?ml$/i.test(value))
    throw new Error(`${where}: _BASE_: expected the name of a .yaml file, got ${JSON.stringify(value)}`);
  const base = path.resolve(path.dirname(file), value);
  if (!existsSync(base)) throw new Error(`${where}: _BASE_: no such configuration file: ${value}`);
  return base;
}

function settingsIn(file: string): Setting[] {
  if (!existsSync(file)) throw new Error(`${file}: no such configuration file`);
  if (statSync(file).isDirectory()) throw new Error(`${file}: expected a configuration file, got a folder`);
  const lines = new LineCounter();
  const document = parseDocument(readWholeFile(file).toString(), { lineCounter: lines, uniqueKeys: false });
  const error = yamlError(file, document);
  if (error) throw error;
  if (document.contents === null) return [];
  const reader = new SettingReader(file, document, lines);
  reader.read(document.contents, []);
  return reader.settings;
}

/** Limits of nesting and of settings: far above any recipe; they stop exponential aliases. */
const [NESTED, MOST_SETTINGS] = [8, 10_000];

/** Collects the settings of a document in order; resolves aliases (`*name`) and merges (`<<: *name`). */
class SettingReader {
  readonly settings: Setting[] = [];
  private seen = 0;

  constructor(
    private readonly file: string,
    private readonly document: Document.Parsed,
    private readonly lines: LineCounter,
  ) {}

  /** Pairs of a section. Merged keys come first, so that the section's own keys override them. */
  read(node: unknown, section: readonly string[]): void {
    const map = this.resolved(node);
    const where = section.length === 0 ? this.file : `${this.placeOf(node)}: ${section.join('.')}`;
    if (!isMap(map)) throw new Error(`${where}: expected keys and values, got ${JSON.stringify(this.valueOf(map))}`);
    this.count();
    if (section.length > NESTED) throw new Error(`${where}: sections nested more than ${NESTED} deep`);
    const isMerge = ({ key }: Pair) => String(key) === '<<';
    for (const pair of map.items.filter(isMerge)) this.merge(pair, section);
    for (const pair of map.items.filter((one) => !isMerge(one))) this.pair(pair, [...section, String(pair.key)]);
  }

  /** `<<` names a section, or a list of sections whose earlier ones take precedence. */
  private merge({ value }: Pair, section: readonly string[]): void {
    const merged = this.resolved(value);
    for (const one of isSeq(merged) ? merged.items.toReversed() : [value]) this.read(one, section);
  }

  private pair({ key, value }: Pair, names: readonly string[]): void {
    const node = this.resolved(value);
    if (isMap(node)) return this.read(value, names);
    this.count();
    this.settings.push({ key: names.join('.'), value: this.valueOf(node), where: this.placeOf(key) });
  }

  /** Counts sections and settings with the repetitions by aliases. */
  private count(): void {
    if (++this.seen > MOST_SETTINGS) throw new Error(`${this.file}: more than ${MOST_SETTINGS} settings`);
  }

  /** The node, or the target of an alias. */
  private resolved(node: unknown): unknown {
    if (!isAlias(node)) return node;
    const target = node.resolve(this.document);
    if (target === undefined) throw new Error(`${this.placeOf(node)}: alias *${node.source} has no anchor before it`);
    return target;
  }

  private valueOf(node: unknown): unknown {
    return isNode(node) ? node.toJS(this.document, { maxAliasCount: 100 }) : (node ?? null);
  }

  private placeOf(node: unknown): string {
    const start = isNode(node) ? node.range?.[0] : undefined;
    return `${this.file}:${this.lines.linePos(start ?? 0).line}`;
  }
}

/** Names of the presets under `configs/`. */
export function presetNames(): string[] {
  return readdirSync(PRESETS)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => name.replace(/\.yaml$/, ''))
    .sort();
}

/** The settings of a preset. */
export function presetSettings(name: string): Setting[] {
  const names = presetNames();
  if (!names.includes(name)) throw new Error(`--preset ${name} is not one of: ${names.join(', ')}`);
  return readSettings(path.join(PRESETS, `${name}.yaml`));
}

/** Settings from `KEY VALUE KEY VALUE …`, as on the authors' command line. Values are YAML: 2e-4, True, [1, 2], text. */
export function overrideSettings(words: readonly string[]): Setting[] {
  if (words.length % 2 === 1)
    throw new Error(`expected pairs of KEY VALUE, got ${words.length} words, the last is ${words.at(-1)}`);
  return words.flatMap((key, i) => {
    if (i % 2 === 1) return [];
    const text = words[i + 1]!;
    return [{ key, value: text === '' ? '' : valueOf(text), where: 'command line' }];
  });
}

function valueOf(text: string): unknown {
  try {
    return parse(text) as unknown;
  } catch {
    return text;
  }
}

/** Formats a configuration as YAML: sections, keys in the order of the table, lists on one line. `readSettings` reads it. */
export function printConfig(config: Config): string {
  const sections: Record<string, unknown> = {};
  for (const name of Object.keys(KEYS) as KeyName[]) {
    const [section, key] = name.split('.') as [string, string?];
    if (key === undefined) sections[section] = config[name];
    else sections[section] = { ...(sections[section] as object | undefined), [key]: config[name] };
  }
  const document = new Document(sections);
  visit(document, { Seq: (_, list) => void (list.flow = true) });
  return document.toString({ flowCollectionPadding: false, lineWidth: 0 });
}

/** Note about ignored keys with values other than their defaults, with the reasons. */
export function withoutEffect(settings: readonly Setting[]): string[] {
  const base = defaults();
  const names = new Set(settings.map((s) => s.key).filter(isKnown));
  const idle = [...names].filter((name) => KEYS[name].ignored);
  const last = (name: KeyName) => settings.findLast((s) => s.key === name)!.value;
  const changed = idle.filter((name) => JSON.stringify(last(name)) !== JSON.stringify(base[name]));
  if (changed.length === 0) return [];
  return [`without effect here: ${changed.map((name) => `${name} (${KEYS[name].about})`).join(', ')}`];
}
