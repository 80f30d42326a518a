/** Loads the addon named by MORPHMLP_ADDON. */
export function loadAddon<T>(): { addon: T; file: string } {
  const file = process.env.MORPHMLP_ADDON ?? '/tmp/morphmlp.node';
  return { addon: require(file) as T, file };
}
