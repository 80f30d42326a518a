/** Yields to the event loop, so that Ctrl-C is handled between two pieces of synchronous work. */
export const eventLoop = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
