/** Recognises decodable pictures and videos: by known extensions, else by the first bytes. */
import { closeSync, openSync, readSync } from 'node:fs';
import path from 'node:path';
import { IMAGE_ENDINGS } from '../pictures/pictures';

/** Unambiguous extensions of videos. */
export const VIDEO_ENDINGS = [
  ...['.mp4', '.webm', '.mkv', '.avi', '.mov', '.m4v', '.mpg', '.mpeg', '.flv', '.wmv', '.3gp', '.gif'],
  ...['.mts', '.m2ts', '.ogv', '.m2v', '.vob', '.3g2', '.asf', '.f4v', '.mxf', '.divx', '.qt'],
];

/** Kind of a file; `other` names its format if known. */
export type FileKind = { kind: 'picture' | 'video' } | { kind: 'other'; what: string };

const VIDEO: FileKind = { kind: 'video' };
const PICTURE: FileKind = { kind: 'picture' };
const undecodable: FileKind = { kind: 'other', what: 'cannot be decoded' };
const neither: FileKind = { kind: 'other', what: 'neither picture nor video' };

/** Signatures: bytes as Latin-1 text at an offset. The first match wins. */
const MAGIC: readonly (readonly [pattern: RegExp, kind: FileKind])[] = [
  [/^\xff\xd8\xff|^\x89PNG\r\n|^RIFF[^]{4}WEBP|^II\*\0|^MM\0\*/, PICTURE],
  [/^[^]{4}ftyp(avif|avis)/, PICTURE],
  [
    /^[^]{4}ftyp(hei[a-z]|hevc|hevx|mif1|msf1|crx |jp2|jxl)|^\xff\x0a|^\0\0\0\x0cJXL |^\0\0\0\x0cjP {2}|^BM[^]{4}\0\0\0\0|^8BPS/,
    undecodable,
  ],
  [
    /^[^]{4}ftyp(M4A|M4B|M4P)|^ID3|^fLaC|^RIFF[^]{4}WAVE|^FORM[^]{4}AIF/,
    { kind: 'other', what: 'sound without pictures' },
  ],
  [
    /^[^]{4}(ftyp|moov|mdat|wide|free|skip|pnot)|^\x1a\x45\xdf\xa3|^RIFF[^]{4}AVI |^FLV\x01|^OggS|^DKIF|^YUV4MPEG2/,
    VIDEO,
  ],
  [
    /^\0\0\x01[\xb3\xba]|^\x30\x26\xb2\x75\x8e\x66\xcf\x11|^\x06\x0e\x2b\x34\x02\x05\x01\x01|^\.RMF|^GIF8|^nut\//,
    VIDEO,
  ],
  // Annex B streams: a start code, then the first unit of H.264 (7, 9) or HEVC (32 to 35).
  [/^\0?\0\0\x01[\x07\x09\x27\x47\x67\x40\x42\x44\x46]/, VIDEO],
];

const PACKETS = [188, 192, 204] as const;

/** MPEG transport streams: 0x47 at the same offset of every packet. */
function isTransportStream(data: Buffer): boolean {
  return PACKETS.some((size) => {
    for (let first = 0; first < size; first++) {
      const places = Math.floor((data.length - first - 1) / size) + 1;
      if (places < 4) return false;
      let at = first;
      while (at < data.length && data[at] === 0x47) at += size;
      if (at >= data.length) return true;
    }
    return false;
  });
}

/** Kind of a file by its first bytes. */
export function kindOfBytes(data: Buffer): FileKind {
  const text = data.subarray(0, 64).toString('latin1');
  const found = MAGIC.find(([pattern]) => pattern.test(text))?.[1];
  return found ?? (isTransportStream(data) ? VIDEO : neither);
}

const FIRST_BYTES = 2048;

function firstBytes(file: string): Buffer {
  const handle = openSync(file, 'r');
  try {
    const data = Buffer.alloc(FIRST_BYTES);
    return data.subarray(0, readSync(handle, data, 0, FIRST_BYTES, 0));
  } finally {
    closeSync(handle);
  }
}

const VIDEOS = new Set(VIDEO_ENDINGS);
const PICTURES = new Set(IMAGE_ENDINGS);

/** Whether the extension alone determines the kind. */
export const hasKnownEnding = (file: string): boolean => {
  const ending = path.extname(file).toLowerCase();
  return VIDEOS.has(ending) || PICTURES.has(ending);
};

/** Kind of a file. Opens only files whose extension does not determine it. */
export function kindOfFile(file: string): FileKind {
  const ending = path.extname(file).toLowerCase();
  if (VIDEOS.has(ending)) return VIDEO;
  if (PICTURES.has(ending)) return PICTURE;
  try {
    return kindOfBytes(firstBytes(file));
  } catch (error) {
    return { kind: 'other', what: `cannot be read (${(error as NodeJS.ErrnoException).code ?? 'error'})` };
  }
}
