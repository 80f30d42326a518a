/** Table of the CRC with the reflected Castagnoli polynomial (RFC 3720, appendix B.4), one entry per byte. */
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ 0x82f63b78 : rest >>> 1;
  return rest;
});

/** CRC-32C of `data`. */
export function crc32c(data: Uint8Array): number {
  let rest = 0xffffffff;
  for (const byte of data) rest = (TABLE[(rest ^ byte) & 255] as number) ^ (rest >>> 8);
  return ~rest >>> 0;
}

/** CRC-32C as TFRecord files store it: rotated and offset, so that a CRC of data that holds CRCs stays sound. */
export function maskedCrc32c(data: Uint8Array): number {
  const crc = crc32c(data);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
