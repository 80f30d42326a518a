/** Containers that may be opened as videos. */
import type { Part } from './info';

/**
 * FFmpeg's names of the accepted containers. Excluded are formats that refer to other files or addresses (playlists: hls, dash, concat,
 * sdp, …), render text, or are pictures.
 */
export const CONTAINERS = [
  ...[
    'mov',
    'mp4',
    'm4a',
    '3gp',
    '3g2',
    'mj2',
    'matroska',
    'webm',
    'avi',
    'flv',
    'mpegts',
    'mpegtsraw',
    'mpeg',
    'mpegvideo',
  ],
  ...[
    'gif',
    'apng',
    'ogg',
    'asf',
    'asf_o',
    'wtv',
    'mxf',
    'gxf',
    'nut',
    'rm',
    'dv',
    'ivf',
    'obu',
    'av1',
    'swf',
    'vob',
    'nsv',
    'nuv',
  ],
  ...[
    'h264',
    'hevc',
    'vvc',
    'm4v',
    'mjpeg',
    'mjpeg_2000',
    'h261',
    'h263',
    'vc1',
    'dirac',
    'cavsvideo',
    'avs',
    'avs2',
    'avs3',
  ],
  ...['yuv4mpegpipe', 'roq', 'bink', 'film_cpk', 'flic', 'smk', 'mv', 'mvi', 'pva', 'rpl', 'idcin', 'lvf', 'dhav'],
];

const PROTOCOLS = 'file,subfile';

/** FFmpeg options for opening a file, which prevent access to anything outside of it. */
export const OPENING: Readonly<Record<string, string>> = {
  protocol_whitelist: PROTOCOLS,
  format_whitelist: CONTAINERS.join(','),
};

/** FFmpeg URL of a file or a part of it. */
export function addressOf(path: string, part?: Part): string {
  return part === undefined ? `file:${path}` : `subfile,,start,${part.start},end,${part.end},,:${path}`;
}

/** Input arguments of ffmpeg and ffprobe. */
export function inputArguments(path: string, part?: Part): string[] {
  return [...Object.entries(OPENING).flatMap(([name, value]) => [`-${name}`, value]), '-i', addressOf(path, part)];
}
