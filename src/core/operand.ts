/** Where a buffer lives. */
export type Device = 'cpu' | 'cuda';

/** A native buffer: opaque, freed by `bufferFree` or, at the latest, with the garbage collector. */
export interface Handle {
  readonly __handle: unique symbol;
}

/** What a kernel takes for a tensor: a buffer on a device, such as a `Tensor`. */
export interface Operand {
  readonly handle: Handle;
  readonly device: Device;
}

/** One value as the addon takes it: a size, an option, a buffer (null where it is optional) or a list of buffers. */
export type KernelArgument = number | boolean | Handle | null | readonly (Handle | null)[];
