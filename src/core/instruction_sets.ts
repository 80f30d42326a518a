/** What is known of instruction sets without loading the addon. */

/** Whether kernels of this instruction set multiply bf16; the others widen it to f32. */
export const multipliesBf16 = (isa: string): boolean => isa === 'avx512bf16' || isa === 'neonbf16';

/** Whether these kernels were measured to be faster in bf16 than in f32. Those of Arm have run under an emulator only. */
export const isFasterInBf16 = (isa: string): boolean => isa === 'avx512bf16';
