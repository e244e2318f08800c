"""The fast path: the same sums as the textbook's, as fast as the processor multiplies.

Everything is one contraction over tables of offsets (`refconv.tiled.contraction`), which the index rule
itself enumerates (`refconv.tiled.links`, `refconv.tiled.plan`). Stride, dilation, padding, groups, one to
three axes, transposed convolutions phase by phase, and all gradients are other tables, not other kernels.

The ladder from the seven loops of the textbook to the machine's limit. 3x3 on 56x56x64 to 64 filters, float32,
one thread of a Zen 4 core with AVX-512, whose peak is 118 GFLOP/s, share of the peak in brackets; PyTorch 2.13
reaches 110 to 114 there.

1. Seven loops, the sum innermost, compiled: 2 to 5 GFLOP/s (0.03). Every product waits for the one before.
2. The filters innermost, contiguous: 5 to 30 (0.2). Vectors, but each is loaded and stored for every product.
3. A tile of sums in registers, filled by LLVM vectors through intrinsics (`refconv.tiled.simd`): 85 to 115. A NumPy
   array for the tile: 7; scalars on the stack: 2.4.
4. Offsets from a table for every output, so that tiles cross rows: as fast as a constant step, and a row of 57
   wastes nothing.
5. No padding: outputs with equal links form a class, and classes are segments of the same tables. Zeros are never
   multiplied, NaN and infinity stay where they belong, and a transposed convolution's phases need nothing new.
6. Neighbouring kernel elements that read neighbouring data are one run: smaller tables; no faster, not even 7x7 on 3
   channels.
7. 6x4 vectors: 112 to 115.5 (0.98), where 8x2 and 14x2 reach 107. 7x4, 9x3 and 5x5 spill: 70, 72, 89.
8. Weights read where they stand if a block's strip is four cache lines wide, else packed (AVX2, 256 filters on
   14x14: from 74 to 92); transposed weights are packed by squares transposed in registers.
9. As few chunks as keep the threads busy, taken in turn so that no thread gets all the short segments.
10. Few filters or channels: lanes over neighbouring places of turned, padded data (`refconv.tiled.places`). 5 channels
    to 17 filters on 57x57, one thread: forward from 46 to 73, input gradient from 27 to 60, weight gradient from 40
    to 55; 7x7 on one channel and filter from 15 to 50, its weight gradient from 5 to 40. Lanes over the outputs of one
    line at a time, the ends of the line apart: those first numbers. Runs of 5 products instead of a table of single
    ones: 37. All kernel elements of a channel together, so that its places are read from far away once: 7x7/2 to 3
    channels, its input gradient, two threads, from 165 to 175. Zeros only around the data of a line: no faster.
11. Weight gradients: the same contraction; rows are kernel elements and channels together, outputs are the sum, in
    blocks of 112 whose data stay in the cache: 95 to 112 (0.8 to 0.95; blocks of 64: 109, and larger errors). Small
    maps kernel element by kernel element, each over all its outputs at once, so that sums go through memory once and
    not for every border: 3x3 on 7x7x512 from 64 to 102, 14x14x256 from 99 to 112. First sums are stored, not added to
    zeros: two threads, 14x14x256, from 141 to 184. Each thread gets an equal share of the tiles of a block, not of the
    blocks: 1x1 to 256 from 182 to 212. Whole vectors are read without masks: with AVX2, whose masks take registers,
    from 62 to 72 (one thread, 64 filters). Many tiles are divided by rows, not by filters, so that no two threads write
    alternate cache lines: 28x28x128 from 160 to 220, 7x7x512 from 182 to 206.
12. Sums in chains of at most 192 products, added up through memory: 1 to 3 % slower, and errors 2 to 5 times smaller
    with 576 to 4608 products; those of one long chain were up to 5 times PyTorch's. Each chain starts from zero:
    with sums that live on from chain to chain, 1x1 fell from 94 to 57. Earlier chains wait in the output, and the
    first one begins with the bias, with no division a tile: the end of a chain of a 6x4 tile costs 75 cycles (1x1 to
    256 from 479 us to 462); on the stack, which the compiler keeps apart for every way that leads there, 180.
13. Three tiles instead of five: with one vector, 8 rows reach 110 where 14 reach 70 to 100 (16 filters a group).
14. Compiled once for one thread and for all, and handed to Numba's threading layer directly (`refconv.jit.shares`)
    instead of by ``prange``, which compiles twice and schedules each launch: the first call on all threads falls from
    2.0 s to 0.85, each launch from 1.8 us to 1.5.

Tried and dropped: a padded copy of small maps (no faster on 7x7 with 6x4, and an infinite weight times padding is
NaN); with AVX2, the output's gradient copied together block by block (weight gradients of 64 filters on 56x56 from 72
to 75, 256 on 14x14 from 78 to 88, 512 on 7x7 from 46 to 36); inlining helpers in Numba's own representation (compiles
no faster).
"""
