/** Lets the event loop turn, so that Ctrl-C is heard between two pieces of synchronous work. */
export const eventLoop = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
