"""Frames to a GIF: one palette for all of them, and only what changes from frame to frame."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image

COLOURS = 96
# Pages and chats load a picture of this many bytes at once; beyond it a film is drawn smaller, down
# to half its width, below which its numbers could not be read.
BUDGET = 500_000
SMALLEST_SCALE = 0.5


def encode(
    frames: Iterable[np.ndarray], samples: Sequence[np.ndarray], durations: Sequence[int], comment: str
) -> bytes:
    """Encode frames as a GIF that repeats forever, smaller where it would exceed `BUDGET` bytes.

    Parameters
    ----------
    frames : iterable of array, shape (height, width, 3), uint8
        All of one size.
    samples : sequence of array
        Some of the frames, which the palette is taken from.
    durations : sequence of int
        Milliseconds for each frame.
    comment : str
        Stored in the file: the text for those who do not see it.
    """
    kept = list(frames)
    content = _encode(kept, samples, durations, comment)
    scale = 1.0
    while len(content) > BUDGET and scale > SMALLEST_SCALE:
        scale = max(scale * min((BUDGET / len(content)) ** 0.5, 0.95), SMALLEST_SCALE)
        content = _encode(
            [_scaled(frame, scale) for frame in kept],
            [_scaled(sample, scale) for sample in samples],
            durations,
            comment,
        )
    return content


def _scaled(frame: np.ndarray, scale: float) -> np.ndarray:
    height, width = frame.shape[:2]
    size = (round(width * scale), round(height * scale))
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BOX))


def _encode(
    frames: Sequence[np.ndarray], samples: Sequence[np.ndarray], durations: Sequence[int], comment: str
) -> bytes:
    palette = _palette(samples)
    indexed = [Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    file = io.BytesIO()
    indexed[0].save(
        file,
        format="GIF",
        save_all=True,
        append_images=indexed[1:],
        duration=list(durations),
        loop=0,
        optimize=True,
        disposal=1,
        comment=comment.encode("utf-8"),
    )
    return file.getvalue()


def _palette(samples: Sequence[np.ndarray]) -> Image.Image:
    """Return the most frequent colours as they are, so that flat areas stay exact."""
    packed = np.concatenate([sample.reshape(-1, 3) for sample in samples]).astype(np.uint32)
    codes = (packed[:, 0] << 16) | (packed[:, 1] << 8) | packed[:, 2]
    found, counts = np.unique(codes, return_counts=True)
    chosen: list[int] = []
    for code in found[np.argsort(-counts)][:1500]:
        near = any(_distance(int(code), other) < 14 for other in chosen)
        if not near:
            chosen.append(int(code))
        if len(chosen) == COLOURS:
            break
    flat = [channel for code in chosen for channel in (code >> 16, (code >> 8) & 255, code & 255)]
    image = Image.new("P", (1, 1))
    image.putpalette(flat + flat[:3] * (COLOURS - len(chosen)))
    return image


def _distance(one: int, other: int) -> int:
    return sum(abs(((one >> shift) & 255) - ((other >> shift) & 255)) for shift in (16, 8, 0))
