"""`.tmk` files made by the method's published definition, of features that stand for those of frames."""

from collections.abc import Sequence

import numpy as np

PERIODS, TERMS = (61, 97, 150), 8
COEFFICIENTS = np.exp(-np.arange(TERMS) / 3.0)


def tmk_of(
    features: np.ndarray,
    times: np.ndarray,
    periods: Sequence[int] = PERIODS,
    coefficients: np.ndarray = COEFFICIENTS,
    rate: int = 15,
) -> bytes:
    """The `.tmk` file of frames by the method's definition: sums over the frames, brought to the kernel's weights."""
    features = features / np.linalg.norm(features, axis=1, keepdims=True)
    blocks = []
    for wave in (np.cos, np.sin):
        for period in periods:
            for j, weight in enumerate(coefficients):
                total = sum(
                    wave(2 * np.pi * j * t / period) * feature for t, feature in zip(times, features, strict=True)
                )
                length = np.linalg.norm(total)
                blocks.append(np.sqrt(weight) * total / length if length > 1e-9 else np.zeros(256))
    head = b"TMK1FVECPDQF" + np.array([rate, len(periods), len(coefficients), 256, len(features)], "<i4").tobytes()
    numbers = np.concatenate([coefficients, features.mean(axis=0), *blocks]).astype("<f4")
    return head + np.array(periods, "<i4").tobytes() + numbers.tobytes()


def walk(seed: int, frames: int = 50) -> np.ndarray:
    """Features of frames that change little by little, as those of a video do."""
    return np.cumsum(np.random.default_rng(seed).normal(size=(frames, 256)), axis=0)
