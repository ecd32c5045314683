"""Hashes with 128 ones of 256, as PDQ's median makes them, and queries near and far."""

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint8]
"""(count, 32)."""


def random_hashes(count: int, seed: int) -> Hashes:
    """Random ones: of uniformly random bits, those with 128 ones."""
    rng = np.random.default_rng(seed)
    out = np.empty((count, 4), np.uint64)
    filled = 0
    while filled < count:
        drawn = rng.integers(0, 2**64, (min(1 << 20, 21 * (count - filled) + 100), 4), np.uint64)
        kept = drawn[np.bitwise_count(drawn).sum(axis=1) == 128][: count - filled]
        out[filled : filled + len(kept)] = kept
        filled += len(kept)
    return out.view(np.uint8)


def queries(hashes: Hashes, count: int, seed: int) -> list[bytes]:
    """Half of them 8 to 30 bits from a listed hash, half from none, all with 128 ones."""
    rng = np.random.default_rng(seed)
    near = np.unpackbits(hashes[rng.integers(0, len(hashes), count // 2)], axis=1)
    for row in near:
        swaps = int(rng.integers(4, 16))
        row[rng.choice(np.flatnonzero(row == 1), swaps, replace=False)] = 0
        zeros = np.flatnonzero(row == 0)
        row[rng.choice(zeros, 128 - int(row.sum()), replace=False)] = 1
    both = np.concatenate([np.packbits(near, axis=1), random_hashes(count - count // 2, seed + 1)])
    return [row.tobytes() for row in rng.permutation(both)]
