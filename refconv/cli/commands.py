"""The commands: they read what was typed, ask the library, and print its answer."""

from __future__ import annotations

import errno
import json
import shutil
import sys
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from refconv import __version__
from refconv.arguments import choice
from refconv.cli import values
from refconv.cli.messages import as_typed
from refconv.errors import ConvError

if TYPE_CHECKING:
    from refconv.conventions.layouts import Reading
    from refconv.solver import Solution

# Everything else is imported where it is used: `refconv size` answers before numpy would have loaded.

Command = TypeVar("Command", bound=Callable[..., Any])

INTERRUPTED = 130
_WIDEST = 100


class Commands(click.Group):
    """The group of commands, in the order they are learnt; every wrong argument is one message and status 2."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order they were added, not in the alphabet's."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, and turn what is wrong with its arguments into one message."""
        try:
            return super().invoke(ctx)
        except ConvError as error:
            raise Refused(as_typed(error)) from error
        except OSError as error:
            # Click ends quietly when the reader of a pipe has gone.
            if error.errno == errno.EPIPE:
                raise
            raise Refused(f"{error.filename or 'file'}: {error.strerror or error}") from error
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)


class Refused(click.ClickException):
    """What a wrong argument ends with: its message on standard error, and status 2."""

    exit_code = 2


def _whole_number(option: str, text: str, rank: int) -> int:
    return values.whole(option, text)


def _word(option: str, text: str, rank: int) -> str:
    return text


# What stands for its value in the help, how its text is read, and what the help says. The names are those of
# `refconv.conventions.options.read_options`.
_NUMBER, _AMOUNT, _WORD = "N", "N|A:B", "WORD"
LAYER_OPTIONS: dict[str, tuple[str, Callable[[str, str, int], Any], str]] = {
    "kernel": (_NUMBER, values.per_axis, "Kernel size."),
    "stride": (_NUMBER, values.per_axis, "Step between outputs (transposed: between stamps)."),
    "padding": (
        f"{_AMOUNT}|{_WORD}",
        values.padding,
        "valid, same, causal or full; an amount; or before:after. Negative crops. "
        "A transposed layer's amounts crop its full output.",
    ),
    "dilation": (_NUMBER, values.per_axis, "Step between kernel elements."),
    "output_padding": (_NUMBER, values.per_axis, "Cells appended to a transposed layer's output."),
    "output_shape": (_NUMBER, values.per_axis, "Wanted output size (keras1, torch, onnx)."),
    "groups": (_NUMBER, _whole_number, "Groups of channels."),
    "depth_multiplier": (_NUMBER, _whole_number, "Depthwise filters a channel."),
    "size": (_NUMBER, values.per_axis, "Factor of upsampling."),
    "interpolation": (_WORD, _word, "nearest, bilinear, bicubic, lanczos3 or lanczos5."),
    "cropping": (_AMOUNT, values.padding, "Cells cut off, as for --padding; matlab: also same."),
}
_SHORT = {"kernel": "-k", "stride": "-s", "padding": "-p", "dilation": "-d"}


def layer_options(command: Command) -> Command:
    """Give a command LAYER, ``--input``, ``--framework`` and the layer's own options."""
    for name, (metavar, _, text) in reversed(LAYER_OPTIONS.items()):
        flags = [_SHORT[name]] if name in _SHORT else []
        command = click.option(*flags, flag(name), name, metavar=metavar, help=text)(command)
    command = click.option(
        "-f", "--framework", default="rule", show_default=True, metavar="NAME", help="Whose rules and words."
    )(command)
    command = click.option(
        "-i", "--input", "input_size", required=True, metavar="N", help="Input size; it sets the rank."
    )(command)
    return click.argument("layer", metavar="LAYER")(command)


def flag(name: str) -> str:
    """Return the option of a name.

    Examples
    --------
    >>> flag("output_padding")
    '--output-padding'
    """
    return "--" + name.replace("_", "-")


def read_layer(layer: str, input_size: str, framework: str, options: dict[str, str | None]) -> Reading:
    """Turn what was typed into the layer's geometry.

    Raises
    ------
    ConvError
        If an option is malformed, or the framework refuses the layer.
    """
    from refconv.conventions import LAYERS
    from refconv.conventions.options import read_options

    layer = choice("LAYER", layer.replace("_", "-"), LAYERS)
    sizes = values.sizes("--input", input_size)
    words = {
        name: LAYER_OPTIONS[name][1](flag(name), text, len(sizes)) for name, text in options.items() if text is not None
    }
    return read_options(layer, sizes, framework, **words)


def joined(sizes: tuple[int, ...]) -> str:
    """Write sizes as they are typed.

    Examples
    --------
    >>> joined((112, 112))
    '112x112'
    """
    return "x".join(str(size) for size in sizes)


def wrapped(text: str) -> str:
    """Break lines that are wider than the terminal, keeping their indent."""
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    lines = []
    for line in text.splitlines():
        indent = line[: len(line) - len(line.lstrip())]
        lines.append(textwrap.fill(line, width, subsequent_indent=indent, break_long_words=False))
    return "\n".join(lines)


_LAYERS_HELP = """\b
LAYER  conv, conv-transpose, depthwise, separable, upsampling, zero-padding
       or cropping
NAME   rule (all that the index rule allows), keras1, keras, tf, torch, onnx,
       jax or matlab
N      one whole number for all axes, or one per axis: 3, 3x5, 3x5x7
A:B    before:after, once or per axis: 1:2, 1:2x0:3
"""


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    epilog="""\b
Examples:
  refconv size conv --input 224x224 --kernel 7x7 --stride 2 --padding 3
  refconv explain conv-transpose --input 10 --kernel 3 --stride 2
  refconv solve --input 224x224 --output 112x112 --kernel 7
  refconv show conv --input 5x5 --kernel 3x3 --values -o conv.gif
  refconv demo
  refconv verify

`refconv COMMAND --help` says more about each.""",
)
@click.version_option(__version__, prog_name="refconv")
def commands() -> None:
    """Convolution arithmetic: output sizes, their derivation, and pictures.

    Name a layer and its arguments; every answer comes from one index rule.
    """


@commands.command(
    epilog=_LAYERS_HELP
    + """
\b
Examples:
  refconv size conv -i 224x224 -k 7x7 -s 2 -p 3
  refconv size conv -i 32x20 -k 3 -p 1:2x0:3
  refconv size conv-transpose -i 10 -k 3 -s 2 --framework torch
  refconv size upsampling -i 14x14 --size 2
"""
)
@layer_options
@click.option("--json", "as_json", is_flag=True, help="Print one object; its `output` is the list of sizes.")
def size(layer: str, input_size: str, framework: str, as_json: bool, **options: str | None) -> None:
    """Print the output size of LAYER, such as 112x112."""
    reading = read_layer(layer, input_size, framework, options)
    if as_json:
        click.echo(
            json.dumps(
                {
                    "layer": reading.layer,
                    "framework": reading.framework,
                    "input": list(reading.geometry.input_size),
                    "output": list(reading.geometry.output_size),
                }
            )
        )
    else:
        click.echo(joined(reading.geometry.output_size))


@commands.command(
    epilog=_LAYERS_HELP
    + """
\b
Examples:
  refconv explain conv -i 224x224 -k 7 -s 2 -p 3 --channels 3 --filters 64
  refconv explain conv -i 10 -k 3 -d 4 -p causal
  refconv explain conv-transpose -i 10 -k 3 -s 2 --framework keras
"""
)
@layer_options
@click.option("--channels", metavar="N", help="Channels of the input; with it come parameters and multiply-adds.")
@click.option("--filters", metavar="N", help="Filters, the channels of the output.")
@click.option("--bias/--no-bias", default=True, help="Whether a bias counts among the parameters.")
@click.option("--json", "as_json", is_flag=True, help="Print one object instead of a text.")
def explain(
    layer: str,
    input_size: str,
    framework: str,
    channels: str | None,
    filters: str | None,
    bias: bool,
    as_json: bool,
    **options: str | None,
) -> None:
    """Derive the output size of LAYER: formula, numbers, result, and what is left over."""
    from refconv.formulas import derive

    reading = read_layer(layer, input_size, framework, options)
    explanation = derive(
        reading,
        channels=_whole_or_none("--channels", channels),
        filters=_whole_or_none("--filters", filters),
        depth_multiplier=_whole_or_none("--depth-multiplier", options["depth_multiplier"]) or 1,
        use_bias=bias,
    )
    click.echo(json.dumps(explanation.as_dict(), indent=2) if as_json else wrapped(str(explanation)))


def _whole_or_none(option: str, text: str | None) -> int | None:
    return None if text is None else values.whole(option, text)


_FIXED = {
    "kernel": "kernel_size",
    "stride": "strides",
    "padding": "padding",
    "dilation": "dilation_rate",
    "output_padding": "output_padding",
}


@commands.command(
    epilog="""\b
LAYER  conv (the default), conv-transpose, depthwise, separable or upsampling

\b
Examples:
  refconv solve --input 224x224 --output 112x112
  refconv solve --input 224 --output 112 --kernel 7 --stride 2
  refconv solve conv-transpose --input 7x7 --output 14x14 --kernel 4
  refconv solve --input 32x20 --output 16x20 --per-axis --json
"""
)
@click.argument("layer", metavar="[LAYER]", default="conv")
@click.option("-i", "--input", "input_size", required=True, metavar="N", help="Input size.")
@click.option("-o", "--output", "output_size", required=True, metavar="N", help="Wanted output size.")
@click.option("-k", "--kernel", metavar="N", help="Fixed kernel size.")
@click.option("-s", "--stride", metavar="N", help="Fixed stride.")
@click.option("-p", "--padding", metavar="N|A:B|WORD", help="Fixed padding.")
@click.option("-d", "--dilation", metavar="N", help="Fixed dilation.")
@click.option("--output-padding", metavar="N", help="Fixed output padding of a transposed layer.")
@click.option("--max-kernel", default="7", show_default=True, metavar="N", help="Largest kernel tried.")
@click.option("--max-stride", default="4", show_default=True, metavar="N", help="Largest stride tried.")
@click.option("--max-dilation", default="2", show_default=True, metavar="N", help="Largest dilation tried.")
@click.option("--max-padding", metavar="N", help="Largest padding tried on a side.  [default: dilated kernel - 1]")
@click.option(
    "--max-asymmetry", default="1", show_default=True, metavar="N", help="Most that padding after exceeds before."
)
@click.option("--per-axis", is_flag=True, help="Let the arguments differ by axis.")
@click.option("--limit", default="20", show_default=True, metavar="N", help="Rows of the table; 0 prints all.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of all solutions.")
def solve(
    layer: str, input_size: str, output_size: str, per_axis: bool, limit: str, as_json: bool, **options: str | None
) -> None:
    """Find the arguments that turn one size into another."""
    from refconv.solver import LAYERS
    from refconv.solver import solve as solutions_of

    layer = choice("LAYER", layer.replace("_", "-"), LAYERS)
    sizes = values.sizes("--input", input_size)
    rows = values.whole("--limit", limit, minimum=0)
    fixed = {
        word: LAYER_OPTIONS[name][1](flag(name), text, len(sizes))
        for name, word in _FIXED.items()
        if (text := options[name]) is not None
    }
    bounds = {
        name: values.whole(flag(name), text)
        for name, text in options.items()
        if name not in _FIXED and text is not None
    }
    wanted = values.sizes("--output", output_size)
    found = solutions_of(sizes, wanted, layer=layer, per_axis=per_axis, **fixed, **bounds)
    if as_json:
        click.echo(json.dumps([solution._asdict() for solution in found]))
    elif not found:
        click.echo(
            f"Nothing within these bounds turns {joined(sizes)} into {joined(wanted)}; raise --max-kernel or others."
        )
    else:
        _print_solutions(found, rows or len(found), f"{layer}: {joined(sizes)} -> {joined(wanted)}")


def _print_solutions(found: list[Solution], rows: int, title: str) -> None:
    from refconv.cli.tables import print_table

    shown = [
        [joined(s.kernel), joined(s.stride), joined(s.dilation), _amounts(s.padding), joined(s.output_padding)]
        for s in found[:rows]
    ]
    columns = ["kernel", "stride", "dilation", "padding", "output padding"]
    if all(set(row[-1]) <= {"0", "x"} for row in shown):
        columns, shown = columns[:-1], [row[:-1] for row in shown]
    print_table(columns, shown, title)
    if len(found) > rows:
        click.echo(f"\n{rows} of {len(found)}; --limit 0 prints all.")


def _amounts(pairs: tuple[tuple[int, int], ...]) -> str:
    """Write (before, after) pairs as they are typed."""
    return "x".join(str(before) if before == after else f"{before}:{after}" for before, after in pairs)


@commands.command(
    epilog=_LAYERS_HELP
    + """
\b
Examples:
  refconv show conv -i 5x5 -k 3 --values -o conv.gif
  refconv show conv -i 7x7 -k 3 -d 2 -o dilated.png
  refconv show conv-transpose -i 3x3 -k 3 -s 2 --view both -o transposed.gif
  refconv show conv -i 8 -k 3 -p causal --theme dark --values -o causal.svg
"""
)
@layer_options
@click.option(
    "-o",
    "--output",
    "path",
    required=True,
    metavar="FILE",
    help="A moving .gif or .mp4, or all frames on a page: .png, .svg, .pdf. A file of this name is replaced.",
)
@click.option("--values", "with_values", is_flag=True, help="Put small whole numbers into the cells, sums below.")
@click.option("--view", metavar="WORD", help="Of a transposed layer: gather, stamp or both.  [default: both]")
@click.option("--theme", default="light", show_default=True, metavar="WORD", help="light or dark.")
@click.option("--max-frames", metavar="N", help="Show this many frames, evenly spaced.")
def show(
    layer: str,
    input_size: str,
    framework: str,
    path: str,
    with_values: bool,
    view: str | None,
    theme: str,
    max_frames: str | None,
    **options: str | None,
) -> None:
    """Draw LAYER at work, output by output."""
    from refconv.cli.example import example_input, example_weights
    from refconv.visual import animate

    reading = read_layer(layer, input_size, framework, options)
    _check_drawable(reading)
    depth_multiplier = _whole_or_none("--depth-multiplier", options["depth_multiplier"]) or 1
    animation = animate(
        reading,
        example_input(reading) if with_values else None,
        weights=example_weights(reading, depth_multiplier) if with_values else None,
        view=view,
        theme=theme,
        max_frames=_whole_or_none("--max-frames", max_frames),
    )
    animation.save(path)
    frames = f"{len(animation)} frame" + ("" if len(animation) == 1 else "s")
    click.echo(f"{path}: {frames}, {joined(reading.geometry.input_size)} -> {joined(reading.geometry.output_size)}")


def _check_drawable(reading: Reading) -> None:
    from refconv.visual.animation import MOST_CELLS

    geometry = reading.geometry
    sizes = joined(geometry.input_size)
    if geometry.rank > 2:
        raise ConvError("--input", sizes, "a picture shows one or two axes", "leave out the first: --input 5x5")
    for option, size in (("--input", geometry.input_size), ("--kernel", geometry.kernel_size)):
        if max(size) > MOST_CELLS:
            small = joined((8,) * geometry.rank)
            rule = f"cells are legible where an axis has up to {MOST_CELLS} of them"
            raise ConvError(option, joined(size), rule, f"draw a smaller layer, such as {option} {small}")


@commands.command(
    epilog="""\b
LAYER  Conv1D, Conv2DTranspose, DepthwiseConv2D, UpSampling3D and so on, or a
       framework's name of one, such as ConvTranspose1d
NAME   keras1, tf, keras, torch, onnx, jax or matlab

\b
Examples:
  refconv signature Conv1DTranspose
  refconv signature Conv2D --framework torch
  refconv signature transposedConv3dLayer --json
"""
)
@click.argument("layer", metavar="LAYER")
@click.option("-f", "--framework", metavar="NAME", help="Only this one.")
@click.option("--json", "as_json", is_flag=True, help="Print one object instead of a text.")
def signature(layer: str, framework: str | None, as_json: bool) -> None:
    """Print what each framework calls LAYER and its arguments, and where that is documented."""
    from refconv.signatures import signature as signature_of

    found = signature_of(layer)
    if framework is not None:
        found = found.only(framework)
    click.echo(json.dumps(found.as_dict(), indent=2) if as_json else wrapped(str(found)))


@commands.command(
    epilog="""\b
Examples:
  refconv demo
  refconv demo -o pictures
"""
)
@click.option(
    "-o", "--output", "folder", default="refconv-demo", show_default=True, metavar="DIR", help="Where the files go."
)
def demo(folder: str) -> None:
    """Run a photograph through six layers: sizes, feature maps, animations.

    Every output size is derived by its formula, counted on the index rule, and compared with what the
    loops returned; the status is 1 if any of them differ.
    """
    from refconv.demo import run

    if not run(folder):
        sys.exit(1)


@commands.command(
    epilog="""\b
NAME  oracle (a naive one in NumPy, always there), torch, jax, onnx, keras, or
      one of onnxruntime, onnx-reference, keras-torch, keras-jax, keras-numpy,
      keras-tensorflow

\b
Examples:
  refconv verify
  refconv verify --peers torch,keras --seconds 120
  refconv verify --peers oracle --seed 7 --json
"""
)
@click.option("--peers", metavar="NAME,...", help="With whom to compare.  [default: all that are installed]")
@click.option("--seconds", default="60", show_default=True, metavar="N", help="How long to compare.")
@click.option("--seed", default="0", show_default=True, metavar="N", help="Which layers to draw.")
@click.option("--json", "as_json", is_flag=True, help="Print one object instead of a table.")
def verify(peers: str | None, seconds: str, seed: str, as_json: bool) -> None:
    """Compare random layers and their gradients with other frameworks.

    Numbers are small and whole, so that sums are exact and must be equal. Interpolations may be
    apart by 1e-11, or by 1e-4 where the other computes in float32. Known faults of others are listed,
    not copied; the status is 1 if anything else differs.
    """
    from refconv.cli.verification import print_report, progress_bar
    from refconv.verify.sweep import sweep

    names = [name.strip() for name in peers.split(",")] if peers is not None else []
    limit = values.whole("--seconds", seconds, 1)
    with progress_bar(limit) as progress:
        report = sweep(names, seconds=limit, seed=values.whole("--seed", seed, 0), progress=progress)
    if as_json:
        click.echo(json.dumps(report.as_dict()))
    else:
        print_report(report)
    if not report.agrees:
        sys.exit(1)


def main() -> None:
    """Run the command line."""
    try:
        commands(prog_name="refconv")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
