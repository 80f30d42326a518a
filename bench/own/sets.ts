/**
 * Three small sets of videos that are unlike each other, as a person with a folder of videos may have them: 160 x 120 pixels,
 * 25 frames per second, 3 to 5 seconds, H.264.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { Philox } from '../../src/core/philox';
import { canvas, fill, grain, leaves, SHAPES, view, type Canvas, type Colour } from './canvas';

export const FPS = 25;
const [WIDTH, HEIGHT] = [160, 120];

/** A set: its classes, and the frames of a video of a class. */
export interface OwnSet {
  classes: readonly string[];
  draw(label: number, random: Philox): Canvas[];
}

/** A video of 3 to 5 seconds whose frame at time t in 0..1 is drawn by `draw`. */
function video(random: Philox, draw: (t: number, into: Canvas) => void): Canvas[] {
  const count = Math.round(FPS * random.uniform(3, 5));
  const noise = random.uniform(1, 6);
  return Array.from({ length: count }, (_, i) => {
    const frame = canvas(WIDTH, HEIGHT);
    draw(i / (count - 1), frame);
    grain(frame, noise, random);
    return frame;
  });
}

/** How a camera moves over a textured scene. */
const camera: OwnSet = {
  classes: ['zoom-in', 'zoom-out', 'pan-left', 'pan-right', 'rotate-left', 'rotate-right'],
  draw(label, random) {
    const scene = leaves(320, 240, random, random.uniform(0.4, 1));
    const sign = label % 2 === 0 ? -1 : 1;
    const [zoom, pan, turn] = [label < 2, label >= 2 && label < 4, label >= 4];
    const [factor, way, angle] = [random.uniform(0.3, 0.9), random.uniform(40, 160), random.uniform(0.3, 1.4)];
    const start = { x: random.uniform(80, 240), y: random.uniform(60, 180), angle: turn ? random.uniform(0, 6) : 0 };
    const [shake, phase] = [random.uniform(0, 1.5), random.uniform(0, 6)];
    return video(random, (t, into) => {
      const p = sign * (t - 0.5);
      const x = start.x + (pan ? p * way : 0) + shake * Math.sin(11 * t + phase);
      const at = { x, y: start.y + shake * Math.cos(7 * t + phase), angle: start.angle - (turn ? p * angle : 0) };
      view(scene, { ...at, scale: 0.8 * Math.exp(zoom ? p * factor : 0) }, into);
    });
  },
};

const ORDERS = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
] as const;

/** Three things that show themselves one after the other, somewhere: the class is their order. */
const order: OwnSet = {
  classes: ORDERS.map((some) => some.map((i) => 'abc'[i]).join('-then-')),
  draw(label, random) {
    const scene = leaves(WIDTH, HEIGHT, random, 0.35);
    const shapes = [SHAPES.disc, SHAPES.square, SHAPES.triangle];
    const colours: Colour[] = [
      [225, 60, 50],
      [60, 200, 80],
      [70, 110, 240],
    ];
    const places = ORDERS[label]!.map(() => [random.uniform(25, 135), random.uniform(25, 95)] as [number, number]);
    const radius = random.uniform(14, 22);
    const begin = [random.uniform(0.02, 0.12), random.uniform(0.34, 0.42), random.uniform(0.66, 0.74)];
    const drift = random.uniform(-25, 25);
    return video(random, (t, into) => {
      into.pixels.set(scene.pixels);
      ORDERS[label]!.forEach((thing, i) => {
        const since = t - begin[i]!;
        if (since < 0 || since > 0.24) return;
        const [x, y] = places[i]!;
        fill(into, shapes[thing]!, [x + drift * since * 4, y], radius, colours[thing]!);
      });
    });
  },
};

/** Pictures of Fashion-MNIST by class, from its IDX files. */
function garments(folder: string): Uint8Array[][] {
  const read = (name: string): Buffer => gunzipSync(readFileSync(`${folder}/${name}.gz`));
  const [pictures, labels] = [
    read('train-images-idx3-ubyte').subarray(16),
    read('train-labels-idx1-ubyte').subarray(8),
  ];
  const all: Uint8Array[][] = Array.from({ length: 10 }, () => []);
  labels.forEach((label, i) => all[label]!.push(pictures.subarray(i * 784, (i + 1) * 784)));
  return all;
}

/** Garments of three kinds that go left or right before a scene: what moves, and where to. */
const moving = (folder: string): OwnSet => {
  const kinds = garments(folder);
  const chosen = { trousers: 1, bag: 8, boot: 9 };
  const names = Object.keys(chosen) as (keyof typeof chosen)[];
  return {
    classes: names.flatMap((name) => [`${name}-left`, `${name}-right`]),
    draw(label, random) {
      const kind = kinds[chosen[names[label >> 1]!]]!;
      const picture = kind[random.int(kind.length)]!;
      const scene = leaves(WIDTH, HEIGHT, random, 0.5);
      const [scale, y, way] = [random.uniform(1.6, 2.6), random.uniform(35, 85), random.uniform(35, 90)];
      const [sign, middle, bob] = [label % 2 === 0 ? -1 : 1, random.uniform(65, 95), random.uniform(0, 6)];
      return video(random, (t, into) => {
        into.pixels.set(scene.pixels);
        const [left, top] = [middle + sign * way * (t - 0.5) - 14 * scale, y + bob * Math.sin(9 * t) - 14 * scale];
        for (let v = 0; v < Math.floor(28 * scale); v++)
          for (let u = 0; u < Math.floor(28 * scale); u++) {
            const [px, py] = [Math.round(left) + u, Math.round(top) + v];
            const value = picture[Math.floor(v / scale) * 28 + Math.floor(u / scale)]!;
            if (value < 20 || px < 0 || py < 0 || px >= WIDTH || py >= HEIGHT) continue;
            into.pixels.fill(value, (py * WIDTH + px) * 3, (py * WIDTH + px) * 3 + 3);
          }
      });
    },
  };
};

/** The sets by name; garments need the IDX files of Fashion-MNIST (Debian: dataset-fashion-mnist). */
export const ownSets = (fashion: string | undefined): Record<string, OwnSet> => ({
  camera,
  order,
  ...(fashion === undefined ? {} : { garments: moving(fashion) }),
});
