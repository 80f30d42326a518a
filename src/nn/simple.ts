/** Layers without state, and the table of an embedding. */
import { callAs } from '../core/arguments';
import { scope } from '../core/scope';
import { empty, type Tensor } from '../core/tensor';
import { dropout } from '../ops/dropout';
import { gelu } from '../ops/gelu';
import { indexSelect } from '../ops/index_rows';
import { relu, sigmoid, tanh } from '../ops/pointwise';
import { reshape } from '../ops/reshape';
import { flatten } from '../ops/slice';
import { normal } from './init';
import { Module, parameter } from './module';

/** The exact GELU. */
export class GELU extends Module {
  /** @param x any shape @returns the same shape */
  forward(x: Tensor): Tensor {
    return gelu(x);
  }
}

/** max(x, 0). */
export class ReLU extends Module {
  /** @param x any shape @returns the same shape */
  forward(x: Tensor): Tensor {
    return relu(x);
  }
}

/** The logistic function. */
export class Sigmoid extends Module {
  /** @param x any shape @returns the same shape */
  forward(x: Tensor): Tensor {
    return sigmoid(x);
  }
}

/** The hyperbolic tangent. */
export class Tanh extends Module {
  /** @param x any shape @returns the same shape */
  forward(x: Tensor): Tensor {
    return tanh(x);
  }
}

/** Joins all dimensions after the first. */
export class Flatten extends Module {
  /** @param x [B, ...] @returns [B, size / B] */
  forward(x: Tensor): Tensor {
    return flatten(x, 1);
  }
}

/** Zeroes elements with probability p in training mode, and scales the others by 1/(1 − p). */
export class Dropout extends Module {
  constructor(readonly p = 0.5) {
    super();
    if (!(p >= 0 && p < 1)) throw new Error(`Dropout: the probability must be in [0, 1), got ${p}`);
  }

  /** @param x any shape @returns the same shape */
  forward(x: Tensor): Tensor {
    return dropout(x, this.p, this.training);
  }
}

/** A table of vectors by index, which start standard normal. */
export class Embedding extends Module {
  readonly weight: Tensor;

  constructor(
    readonly count: number,
    readonly features: number,
  ) {
    super();
    this.weight = parameter(normal(empty([count, features]), 1));
  }

  /** @param index i32 of any shape, each from 0 to count − 1 @returns [...shape, features] */
  forward(index: Tensor): Tensor {
    return scope(() => {
      const rows = callAs('Embedding', indexSelect, this.weight, reshape(index, [index.size]));
      return reshape(rows, [...index.shape, this.features]);
    });
  }
}
