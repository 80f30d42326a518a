/** Lists of pictures with index masks, in the layouts of ADE20K, Cityscapes and Pascal VOC, and in a plain one. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { isImage } from '../pictures/pictures';

/** A picture and its mask. */
export interface Pair {
  picture: string;
  mask: string;
}

/** The pairs of a folder, and the files without a partner. */
export interface PairList {
  source: string;
  pairs: Pair[];
  /** Files without a partner, with the file that was expected. */
  alone: { name: string; reason: string }[];
}

/** Where the pictures and masks of a layout are, and how the name of a picture becomes that of its mask. */
interface Layout {
  pictures: string;
  masks: string;
  /** Name of the mask of a picture, without its ending. */
  maskOf: (stem: string) => string;
  /** Names of the pictures of the split, without endings; absent: all. */
  names?: ReadonlySet<string>;
}

const same = (stem: string): string => stem;
const cityscapes = (stem: string): string => stem.replace(/_leftImg8bit$/, '_gtFine_labelTrainIds');

function pascalNames(root: string, split: 'train' | 'val'): ReadonlySet<string> {
  const file = path.join(root, 'ImageSets', 'Segmentation', `${split}.txt`);
  return new Set(
    readFileSync(file, 'utf8')
      .split(/\s+/)
      .filter((name) => name !== ''),
  );
}

function layoutOf(root: string, split: 'train' | 'val'): Layout {
  const within = (...names: string[]): string => path.join(root, ...names);
  const long = split === 'train' ? 'training' : 'validation';
  const candidates: [pictures: string, masks: string, maskOf: (stem: string) => string][] = [
    [within('images', long), within('annotations', long), same],
    [within('leftImg8bit', split), within('gtFine', split), cityscapes],
    [within(split, 'images'), within(split, 'masks'), same],
    [within('images', split), within('masks', split), same],
    [within('images'), within('masks'), same],
  ];
  if (existsSync(within('SegmentationClass'))) {
    const names = pascalNames(root, split);
    return { pictures: within('JPEGImages'), masks: within('SegmentationClass'), maskOf: same, names };
  }
  const found = candidates.find(([pictures, masks]) => existsSync(pictures) && existsSync(masks));
  if (found) return { pictures: found[0], masks: found[1], maskOf: found[2] };
  const expected = 'images/ and masks/, or the layout of ADE20K, Cityscapes or Pascal VOC';
  throw new Error(`${root}: expected a folder of ${expected}, got ${folderText(root)}`);
}

function folderText(root: string): string {
  if (!existsSync(root)) return 'no folder';
  if (!statSync(root).isDirectory()) return 'a file';
  const names = readdirSync(root).slice(0, 5);
  return names.length > 0 ? `one with ${names.join(', ')}` : 'an empty one';
}

/** Files below a folder with an ending that fits, by their relative path without it. */
function filesBelow(folder: string, fits: (file: string) => boolean): Map<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(fits).sort();
  return new Map(names.map((name) => [name.slice(0, -path.extname(name).length), path.join(folder, name)]));
}

/** Lists the pairs of a part of a folder, by name. @throws if it has none of the layouts, or no pair */
export function listPairs(root: string, split: 'train' | 'val'): PairList {
  const { pictures, masks, maskOf, names } = layoutOf(root, split);
  const isMask = (file: string): boolean =>
    /\.png$/i.test(file) && (maskOf === same || /_labelTrainIds\.png$/.test(file));
  const [left, right] = [filesBelow(pictures, isImage), filesBelow(masks, isMask)];
  const list: PairList = { source: pictures, pairs: [], alone: [] };
  const taken = new Set<string>();
  for (const [stem, picture] of left) {
    if (names && !names.has(stem)) continue;
    const wanted = maskOf(stem);
    const mask = right.get(wanted);
    taken.add(wanted);
    if (mask !== undefined) list.pairs.push({ picture, mask });
    else
      list.alone.push({ name: picture, reason: `${picture}: its mask ${path.join(masks, wanted)}.png does not exist` });
  }
  for (const [stem, mask] of names ? [] : right)
    if (!taken.has(stem)) list.alone.push({ name: mask, reason: `${mask}: its picture in ${pictures} does not exist` });
  if (list.pairs.length > 0) return list;
  throw new Error(`${pictures}: none of ${left.size} pictures has a mask in ${masks}`);
}
