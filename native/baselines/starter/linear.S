/* y = x weight^T + bias in x86-64 assembly (GNU as, AVX2 and FMA): four dot products at a time share the loads of a row
 * of x. It has no backward, so it is for inference. The offsets are those of morphmlp_kernel.h. */
#ifndef MORPHMLP_FLAGS
#define MORPHMLP_FLAGS "flags unknown"
#endif

/* morphmlp_tensor */
#define TENSOR 40
#define DATA 8
#define SHAPE 24
/* morphmlp_call */
#define INPUTS 16
#define OUTPUTS 24
#define PARALLEL 88
/* What a task reads: x, weight, bias, y, n, k. */
#define X 0
#define WEIGHT 8
#define BIAS 16
#define Y 24
#define N 32
#define K 40

    .intel_syntax noprefix
    .text

/* int32_t forward(const morphmlp_call* call): a task for each row */
    .type forward, @function
forward:
    sub     rsp, 56
    mov     rax, [rdi + INPUTS]             /* x, weight, bias, in the order of the header */
    mov     rcx, [rax + DATA]
    mov     [rsp + X], rcx
    mov     rcx, [rax + TENSOR + DATA]
    mov     [rsp + WEIGHT], rcx
    mov     rcx, [rax + 2 * TENSOR + DATA]
    mov     [rsp + BIAS], rcx
    mov     rcx, [rax + TENSOR + SHAPE]     /* [n, k] */
    mov     rdx, [rcx]
    mov     [rsp + N], rdx
    mov     rdx, [rcx + 8]
    mov     [rsp + K], rdx
    mov     rcx, [rdi + OUTPUTS]
    mov     rcx, [rcx + DATA]
    mov     [rsp + Y], rcx
    mov     rcx, [rax + SHAPE]
    mov     rax, [rdi + PARALLEL]
    mov     rdi, [rcx]                      /* rows of x */
    lea     rsi, [rip + row]
    mov     rdx, rsp
    call    rax
    xor     eax, eax                        /* MORPHMLP_OK */
    add     rsp, 56
    ret

/* acc += a sum of its upper and lower halves, down to one float */
    .macro reduce n
    vextractf128 xmm5, ymm\n, 1
    vaddps  xmm\n, xmm\n, xmm5
    vhaddps xmm\n, xmm\n, xmm\n
    vhaddps xmm\n, xmm\n, xmm\n
    .endm

/* reg = the smaller of rax + i and n - 1: the last rows of the weight are computed again rather than left out */
    .macro clamped reg, i
    lea     \reg, [rax + \i]
    lea     rdx, [r15 - 1]
    cmp     \reg, rdx
    cmovg   \reg, rdx
    .endm

/* y[j] = sum + bias[j], j in reg */
    .macro store n, reg
    test    r12, r12
    jz      8f
    vaddss  xmm\n, xmm\n, [r12 + 4 * \reg]
8:  vmovss  [r13 + 4 * \reg], xmm\n
    .endm

/* void row(void* context, int64_t r) */
    .type row, @function
row:
    push    rbx
    push    rbp
    push    r12
    push    r13
    push    r14
    push    r15
    mov     r14, [rdi + K]
    mov     r15, [rdi + N]
    mov     r12, [rdi + BIAS]
    mov     rcx, rsi
    imul    rcx, r14
    mov     rbx, [rdi + X]
    lea     rbx, [rbx + 4 * rcx]            /* the row of x */
    imul    rsi, r15
    mov     r13, [rdi + Y]
    lea     r13, [r13 + 4 * rsi]            /* the row of y */
    mov     rbp, [rdi + WEIGHT]
    xor     eax, eax                        /* j */
1:  cmp     rax, r15
    jge     7f
    clamped r8, 0
    clamped r9, 1
    clamped r10, 2
    clamped r11, 3
    .irp    reg, r8, r9, r10, r11
    imul    \reg, r14
    lea     \reg, [rbp + 4 * \reg]          /* rows j .. j + 3 of the weight */
    .endr
    .irp    n, 0, 1, 2, 3
    vxorps  xmm\n, xmm\n, xmm\n
    .endr
    xor     ecx, ecx                        /* k */
2:  lea     rdx, [rcx + 8]
    cmp     rdx, r14
    jg      3f
    vmovups ymm4, [rbx + 4 * rcx]
    vfmadd231ps ymm0, ymm4, [r8 + 4 * rcx]
    vfmadd231ps ymm1, ymm4, [r9 + 4 * rcx]
    vfmadd231ps ymm2, ymm4, [r10 + 4 * rcx]
    vfmadd231ps ymm3, ymm4, [r11 + 4 * rcx]
    mov     rcx, rdx
    jmp     2b
3:  .irp    n, 0, 1, 2, 3
    reduce  \n
    .endr
4:  cmp     rcx, r14                        /* what is left of a row whose length is no multiple of 8 */
    jge     5f
    vmovss  xmm4, [rbx + 4 * rcx]
    vfmadd231ss xmm0, xmm4, [r8 + 4 * rcx]
    vfmadd231ss xmm1, xmm4, [r9 + 4 * rcx]
    vfmadd231ss xmm2, xmm4, [r10 + 4 * rcx]
    vfmadd231ss xmm3, xmm4, [r11 + 4 * rcx]
    inc     rcx
    jmp     4b
5:  clamped r8, 0
    clamped r9, 1
    clamped r10, 2
    clamped r11, 3
    store   0, r8
    store   1, r9
    store   2, r10
    store   3, r11
    add     rax, 4
    jmp     1b
7:  vzeroupper
    pop     r15
    pop     r14
    pop     r13
    pop     r12
    pop     rbp
    pop     rbx
    ret

/* const morphmlp_kernel* morphmlp_kernel_entry(void) */
    .globl  morphmlp_kernel_entry
    .type   morphmlp_kernel_entry, @function
morphmlp_kernel_entry:
    lea     rax, [rip + kernel]
    ret

    .section .rodata
op:     .asciz "linear"
name:   .asciz "starter"
flags:  .asciz MORPHMLP_FLAGS

    .section .data.rel.ro, "aw"
    .balign 8
kernel:
    .long   2, 0                            /* abi; device: the CPU */
    .quad   op, name, flags
    .quad   0, forward, 0                   /* no workspace, no backward */
    .long   1, 0                            /* dtypes: f32 */
    .quad   0, 0                            /* no parameters */

    .section .note.GNU-stack, "", @progbits
