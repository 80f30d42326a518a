/** Reads configurations: the authors' YAML files, our own presets in the same form, and `KEY VALUE` overrides. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Document, LineCounter, parse, parseDocument, visit, type Pair } from 'yaml';
import { didYouMean } from '../../terminal/format';
import { KEYS, type Config, type KeyName } from './keys';

/** Where the presets lie: beside `src` and `dist`. */
const PRESETS = path.join(__dirname, '..', '..', '..', 'configs');

/** A value for a key, and where it was said. */
export interface Setting {
  key: string;
  value: unknown;
  where: string;
}

/** The authors' defaults. */
export function defaults(): Config {
  return Object.fromEntries(Object.entries(KEYS).map(([name, key]) => [name, key.default])) as Config;
}

const isKey = (name: string): name is KeyName => Object.hasOwn(KEYS, name);

/** Puts settings over a configuration, one after the other. @throws for an unknown key or a value of a wrong type */
export function withSettings(config: Config, settings: readonly Setting[]): Config {
  const result: Record<string, unknown> = { ...config };
  for (const { key, value, where } of settings) {
    if (!isKey(key)) throw new Error(`${where}: unknown key ${key}${didYouMean(key, Object.keys(KEYS))}`);
    const got = KEYS[key].read(value);
    if ('expected' in got) throw new Error(`${where}: ${key}: expected ${got.expected}, got ${JSON.stringify(value)}`);
    result[key] = got.value;
  }
  return result as Config;
}

/** The nearest words that YAML's own messages have for a person, without the excerpt below them. */
function yamlError(file: string, { errors }: Document): Error | null {
  const [first] = errors;
  return first ? new Error(`${file}: not valid YAML: ${first.message.split('\n')[0]!.replace(/:$/, '')}`) : null;
}

/** Files that a file is based on, at most: more are a circle. */
const DEEPEST = 8;

/** The settings of a YAML file, sections joined to keys by dots; those of the file that `_BASE_` names go first. */
export function readSettings(file: string, depth = 0): Setting[] {
  if (depth > DEEPEST) throw new Error(`${file}: _BASE_ leads in a circle`);
  const settings = settingsIn(file);
  const base = settings.find(({ key }) => key === '_BASE_');
  if (!base) return settings;
  const own = settings.filter((setting) => setting !== base);
  return [...readSettings(path.resolve(path.dirname(file), String(base.value)), depth + 1), ...own];
}

function settingsIn(file: string): Setting[] {
  if (!existsSync(file)) throw new Error(`${file}: no such configuration file`);
  const lines = new LineCounter();
  const document = parseDocument(readFileSync(file, 'utf8'), { lineCounter: lines, uniqueKeys: false });
  const error = yamlError(file, document);
  if (error) throw error;
  const settings: Setting[] = [];
  visit(document, {
    Pair(_, pair, above) {
      const names = [...above, pair].filter((node): node is Pair => 'key' in node).map((node) => String(node.key));
      const value = (pair.value as { toJSON(): unknown } | null)?.toJSON() ?? null;
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) return undefined;
      const { line } = lines.linePos((pair.key as { range?: [number] }).range?.[0] ?? 0);
      settings.push({ key: names.join('.'), value, where: `${file}:${line}` });
      return visit.SKIP;
    },
  });
  return settings;
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

/** `KEY VALUE KEY VALUE …`, as the authors' command line takes them. Values are read as YAML: 2e-4, True, [1, 2], text. */
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

/** A configuration as YAML, in sections, keys in the order of the table, lists on one line; `readSettings` reads it back. */
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

/** A line about the keys that were set to something else than their default and change nothing here, with the reasons. */
export function withoutEffect(settings: readonly Setting[]): string[] {
  const base = defaults();
  const names = new Set(settings.map((s) => s.key).filter(isKey));
  const idle = [...names].filter((name) => KEYS[name].ignored);
  const last = (name: KeyName) => settings.findLast((s) => s.key === name)!.value;
  const changed = idle.filter((name) => JSON.stringify(last(name)) !== JSON.stringify(base[name]));
  if (changed.length === 0) return [];
  return [`without effect here: ${changed.map((name) => `${name} (${KEYS[name].about})`).join(', ')}`];
}
