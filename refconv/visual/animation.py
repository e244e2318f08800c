"""`animate`: from a layer, a geometry or a reading to an animation that saves and shows itself."""

from __future__ import annotations

import base64
import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refconv.arguments import choice, whole_number
from refconv.errors import ConvError, unknown_choice
from refconv.files import check_place, write_whole
from refconv.trace import Stage
from refconv.visual import words
from refconv.visual.compose import compose
from refconv.visual.contents import frame_count, largest_grid
from refconv.visual.progress import Progress
from refconv.visual.scene import Scene
from refconv.visual.subject import VIEWS, read_subject

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes

THEME_NAMES = ("light", "dark")
SUFFIXES = (".gif", ".png", ".svg", ".pdf", ".mp4")
MOST_FRAMES = 400
MOST_CELLS = 40
# Up to this many frames stay for a second each, more for half a second; the last one longer.
SLOW_FRAMES = 25
SLOW, FAST, HOLD = 1000, 500, 2000


def animate(
    layer: Any,
    x: Any = None,
    *,
    weights: Any = None,
    bias: Any = None,
    input_shape: Sequence[int] | None = None,
    filter: int | None = None,
    channel: int | None = None,
    view: str | None = None,
    theme: str = "light",
    title: str | None = None,
    max_frames: int | None = None,
) -> Animation:
    """Make the moving picture of a layer: one frame for each output.

    Parameters
    ----------
    layer : layer, ConvGeometry, conventions.Reading, or trace.Stage
        What to show, in one or two dimensions. A layer that is not built yet is built for `x`.
    x : array, optional
        The input: (spatial...), (spatial..., channels), or with a batch of one as the layer takes it.
        With it, numbers stand in the cells and the running sum is written out.
    weights : array, optional
        For a geometry, shape (kernel...) or (kernel..., channels / groups, filters), read as a gather;
        for a reading, in the order of Keras' layers (a pair of arrays if separable).
    bias : array, shape (filters,), optional
        For a geometry or a reading.
    input_shape : sequence of int, optional
        For a layer without `x`: batch and channels included.
    filter : int, optional
        The output channel; by default 0, or of a depthwise layer all where there are at most three.
    channel : int, optional
        The one input channel to show. Without it up to three are shown above one another.
    view : {"gather", "stamp", "both"}, optional
        Of a transposed convolution: the flipped kernel over the zero-inserted input, every input
        stamping the kernel, or both in lockstep, which is the default.
    theme : {"light", "dark"}
        The paper.
    title : str, optional
        Instead of the layer's kind.
    max_frames : int, optional
        Show this many frames, evenly spaced, the first and the last among them.

    Returns
    -------
    Animation

    Raises
    ------
    ConvError
        If an argument does not fit, the layer is three-dimensional, or the picture would be too large.

    Examples
    --------
    >>> from refconv.geometry import AxisGeometry, ConvGeometry
    >>> animation = animate(ConvGeometry((AxisGeometry(5, 3), AxisGeometry(5, 3))))
    >>> len(animation)
    9
    >>> print(animation.alt_text)  # doctest: +ELLIPSIS
    Animation in 9 frames. Convolution, stride 1 · padding 0: input 5×5, kernel 3×3, output 3×3. ...
    """
    choice("theme", theme, THEME_NAMES)
    if view is not None:
        view = choice("view", view, VIEWS)
    pictures = read_subject(
        layer,
        x,
        weights=weights,
        bias=bias,
        input_shape=input_shape,
        filter=filter,
        channel=channel,
        view=view,
        title=title,
    )
    counts = [frame_count(picture) for picture in pictures]
    for picture in pictures:
        cells = largest_grid(picture)
        if cells > MOST_CELLS:
            raise ConvError(
                "input_shape" if input_shape is not None else "layer",
                words.times(words.input_size(picture.stage)),
                f"a panel would be {cells} cells long, and cells are legible up to {MOST_CELLS}",
                f"animate a smaller input, such as {words.times([8] * picture.stage.rank)}",
            )
    total = sum(counts)
    if max_frames is None and total > MOST_FRAMES:
        raise ConvError(
            "max_frames",
            None,
            f"there would be {total} frames, and without max_frames {MOST_FRAMES} are the most",
            "use max_frames=100 for that many evenly spaced ones, or animate a smaller input",
        )
    wanted = total if max_frames is None else min(whole_number("max_frames", max_frames, 1), total)
    chosen = _evenly(total, wanted)
    per_picture = [
        [number - start for number in chosen if start <= number < start + count]
        for start, count in zip(itertools.accumulate(counts, initial=0), counts, strict=False)
    ]
    parts = [(picture, numbers) for picture, numbers in zip(pictures, per_picture, strict=True) if numbers]
    scenes = [compose(picture, numbers) for picture, numbers in parts]
    if len(scenes) > 1:
        size = (max(part[0].width for part in scenes), max(part[0].height for part in scenes))
        scenes = [compose(picture, numbers, size) for picture, numbers in parts]
    every = [scene for part in scenes for scene in part]
    numbered = tuple(scene._replace(number=i + 1, frames=len(every)) for i, scene in enumerate(every))
    formulas = tuple(dict.fromkeys(line for picture in pictures for line in picture.formulas))
    text = words.alt_text(
        [(f"{p.title}, {p.details}", words.sizes(p.stage), p.formulas, p.remarks) for p in pictures],
        len(numbered),
        any(picture.x is not None for picture in pictures),
    )
    return Animation(
        scenes=numbered,
        stages=tuple(picture.stage for picture in pictures),
        title=title or (pictures[0].title if len(pictures) == 1 else "Separable convolution"),
        alt_text=text,
        formulas=formulas,
        theme=theme,
    )


def _evenly(total: int, wanted: int) -> list[int]:
    if wanted == 1:
        return [total - 1]
    return [round(i * (total - 1) / (wanted - 1)) for i in range(wanted)]


class Animation:
    """A moving picture; made by `animate`.

    Attributes
    ----------
    scenes : tuple of Scene
        The frames as data.
    stages : tuple of Stage
        What is shown.
    title : str
        The layer's kind, or what the caller chose.
    alt_text : str
        The picture in words.
    formulas : tuple of str
        The derivation of the output size.
    theme : str
        ``"light"`` or ``"dark"``.
    """

    def __init__(
        self,
        scenes: tuple[Scene, ...],
        stages: tuple[Stage, ...],
        title: str,
        alt_text: str,
        formulas: tuple[str, ...] = (),
        theme: str = "light",
    ) -> None:
        self.scenes = scenes
        self.stages = stages
        self.title = title
        self.alt_text = alt_text
        self.formulas = formulas
        self.theme = theme

    def __len__(self) -> int:
        return len(self.scenes)

    def __repr__(self) -> str:
        return f"<Animation: {self.alt_text}>"

    @property
    def durations(self) -> tuple[int, ...]:
        """Milliseconds that each frame is shown."""
        each = SLOW if len(self) <= SLOW_FRAMES else FAST
        return (each,) * (len(self) - 1) + (HOLD,)

    def frame(self, i: int, ax: Axes | None = None) -> Axes:
        """Draw one frame.

        Parameters
        ----------
        i : int
            Which one, from 0; negative counts from the end.
        ax : matplotlib.axes.Axes, optional
            Where to draw; it is cleared first. By default an axes in a figure of its own, which
            pyplot does not know.

        Returns
        -------
        matplotlib.axes.Axes
            Its ``figure`` has ``savefig``.

        Raises
        ------
        ConvError
            If there is no such frame.
        """
        from refconv.visual.draw import draw_scene, new_figure

        whole_number("i", i)
        if not -len(self) <= i < len(self):
            raise ConvError("i", i, f"there are {len(self)} frames", f"use 0 to {len(self) - 1}")
        scene = self.scenes[i]
        if ax is None:
            _, ax = new_figure(scene.width, scene.height, self.theme)
        return draw_scene(ax, scene, self.theme)

    def save(self, path: str | Path, *, progress: bool | None = None) -> Path:
        """Write the animation (gif, mp4), or all its frames on one page (png, svg, pdf).

        Parameters
        ----------
        path : str or Path
            Its suffix decides the format.
        progress : bool, optional
            Whether to show a progress bar; by default only on a terminal, where it takes long.

        Returns
        -------
        Path
            Where the file is. It is written whole or not at all.

        Raises
        ------
        ConvError
            If the suffix is unknown, the folder is missing, or mp4 is asked for without the extra
            ``video``.
        """
        path = Path(path)
        suffix = path.suffix.lower()
        if suffix not in SUFFIXES:
            raise unknown_choice("path", path.suffix or str(path), SUFFIXES)
        check_place(path)
        if suffix == ".mp4":
            _video_writer()
        with Progress(len(self), progress) as bar:
            if suffix == ".mp4":
                write_whole(path, lambda draft: self._write_video(draft, bar.tick))
            else:
                content = self._gif(bar.tick) if suffix == ".gif" else self._storyboard(suffix[1:], bar.tick)
                write_whole(path, lambda draft: _write_bytes(draft, content))
        return path

    def _pixels(self, scenes: Sequence[Scene], tick: Callable[[], None]) -> Iterator[np.ndarray]:
        import numpy as np

        from refconv.visual.draw import draw_scene, new_figure

        first = self.scenes[0]
        figure, ax = new_figure(first.width, first.height, self.theme)
        for scene in scenes:
            draw_scene(ax, scene, self.theme)
            figure.canvas.draw()
            yield np.asarray(figure.canvas.buffer_rgba())[:, :, :3].copy()  # type: ignore[attr-defined]
            tick()

    def _gif(self, tick: Callable[[], None]) -> bytes:
        from refconv.visual.gif import encode

        # One palette for all frames comes from three that hold every colour between them.
        samples = [self.scenes[0], self.scenes[len(self) // 2], self.scenes[-1]]
        palette = list(self._pixels(samples, lambda: None))
        return encode(self._pixels(self.scenes, tick), palette, self.durations, self.alt_text)

    def _storyboard(self, kind: str, tick: Callable[[], None]) -> bytes:
        from refconv.visual.storyboard import storyboard

        figure = storyboard(
            self.scenes, self.title, self.formulas, self.theme, tick, scale=2.0 if kind == "png" else 1.0
        )
        metadata = {
            "png": {"Title": self.title, "Description": self.alt_text},
            "svg": {"Title": self.title, "Description": self.alt_text, "Date": None},
            "pdf": {"Title": self.title, "Subject": self.alt_text, "CreationDate": None},
        }[kind]
        file = io.BytesIO()
        figure.savefig(file, format=kind, metadata=metadata, facecolor=figure.get_facecolor(), dpi=figure.dpi)
        return file.getvalue()

    def _write_video(self, path: Path, tick: Callable[[], None]) -> None:
        import numpy as np

        # Video codecs want even sides; two frames a second carry every duration here.
        def even(frame: np.ndarray) -> np.ndarray:
            rows, columns = frame.shape[0] % 2, frame.shape[1] % 2
            return np.pad(frame, ((0, rows), (0, columns), (0, 0)), mode="edge")

        writer = None
        for frame, duration in zip(self._pixels(self.scenes, tick), self.durations, strict=True):
            image = np.ascontiguousarray(even(frame))
            if writer is None:
                size = (image.shape[1], image.shape[0])
                writer = _video_writer()(str(path), size, fps=1000 / FAST, quality=8, macro_block_size=2)
                writer.send(None)
            for _ in range(duration // FAST):
                writer.send(image)
        if writer is not None:
            writer.close()

    def _repr_html_(self) -> str:
        import html

        data = base64.b64encode(self._gif(lambda: None)).decode("ascii")
        text = html.escape(self.alt_text, quote=True)
        width = round(self.scenes[0].width)
        return f'<img src="data:image/gif;base64,{data}" alt="{text}" width="{width}" style="max-width: 100%">'


def _write_bytes(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _video_writer() -> Any:
    try:
        import imageio_ffmpeg
    except ImportError:
        rule = "writing video needs imageio-ffmpeg, which is not installed"
        raise ConvError("path", ".mp4", rule, "pip install 'refconv[video]', or save a .gif") from None
    return imageio_ffmpeg.write_frames
