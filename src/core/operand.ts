/** Device of a buffer. */
export type Device = 'cpu' | 'cuda';

/** A native buffer: opaque; freed by `bufferFree` or else by the garbage collector. */
export interface Handle {
  readonly __handle: unique symbol;
}

/** A tensor argument of a kernel: a buffer on a device, such as a `Tensor`. */
export interface Operand {
  readonly handle: Handle;
  readonly device: Device;
}

/** One argument of an addon call: a size, an option, a buffer (null for an absent optional one) or a list of buffers. */
export type KernelArgument = number | boolean | Handle | null | readonly (Handle | null)[];
