/** What is known of instruction sets without loading the addon. */

/** Whether kernels of this instruction set multiply bf16, at twice the rate of f32; the others widen it to f32. */
export const multipliesBf16 = (isa: string): boolean => isa === 'avx512bf16';
