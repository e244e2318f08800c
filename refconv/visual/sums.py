"""Sums written out term by term, with the running sum under each term."""

from __future__ import annotations

from collections.abc import Sequence

from refconv.trace import Stamp, Step
from refconv.visual import words
from refconv.visual.metrics import DIGIT, MARGIN, SIZES, TERM_HEIGHT
from refconv.visual.scene import Text

# A sum's name, its terms with the running sums under them, and its result.
SumText = tuple[str, list[tuple[str, str]], str]
# The same with the terms broken into rows.
Rows = list[tuple[str, list[list[tuple[str, str]]], str]]

NAME_WIDTH, TOTAL_WIDTH = 104, 64
_MOST_ROWS = 4


def output_sum(step: Step, named: bool) -> SumText:
    """Write out the sum of one output; `named` adds its filter to the name."""
    terms = [(words.product(term.value, term.weight), words.short(term.running_sum)) for term in step.terms]
    if step.bias:
        terms.append((f"{words.short(step.bias)} bias", words.short(step.total)))
    name = f"y{words.place((*step.output_index, step.filter) if named else step.output_index)}"
    return name, terms, words.short(step.total)


def stamp_sum(stamp: Stamp) -> SumText:
    """Write out what one input adds to each output it reaches, and what stands there then."""
    kept = [term for term in stamp.terms if term.input_index is not None]
    terms = [(words.product(term.value, term.weight), words.short(term.running_sum)) for term in kept]
    return f"x{words.place(stamp.input_index)}", terms, ""


def term_rows(sums: Sequence[SumText], room: float) -> Rows:
    """Break every sum into rows of terms that fit; what does not fit in four rows is left out in the middle."""
    rows: Rows = []
    for name, terms, total in sums:
        per_row = max(int((room - NAME_WIDTH - TOTAL_WIDTH) / term_pitch(terms)), 1)
        most = per_row * (_MOST_ROWS if len(sums) == 1 else _MOST_ROWS // 2)
        if len(terms) > most:
            left = most - 2
            terms = [*terms[:left], ("…", "…"), terms[-1]]
        lines = [terms[i : i + per_row] for i in range(0, len(terms), per_row)] or [[]]
        rows.append((name, lines, total))
    return rows


def term_pitch(terms: Sequence[tuple[str, str]]) -> float:
    """Return the width of a column that holds the longest term and a plus sign."""
    longest = max((len(text) for text, _ in terms), default=1)
    return longest * SIZES["term"] * DIGIT + 28


def sum_texts(sums: Rows, y: float) -> list[Text]:
    """Place sums beneath one another, the first at `y`."""
    texts = []
    for name, lines, total in sums:
        pitch = term_pitch([term for line in lines for term in line])
        for number, line in enumerate(lines):
            if number == 0:
                texts.append(Text("total", MARGIN, y + 10, f"{name} {'=' if total else 'adds'}"))
                texts.append(Text("running", MARGIN, y + 28, "running sum" if total else "output then"))
            for i, (term, running) in enumerate(line):
                x = MARGIN + NAME_WIDTH + 14 + pitch * (i + 0.5)
                texts.append(Text("term", x, y + 10, term, "center"))
                texts.append(Text("running", x, y + 28, running, "center"))
                if (i or number) and total:
                    texts.append(Text("term", x - pitch / 2, y + 10, "+", "center"))
            if number == len(lines) - 1 and total:
                x = MARGIN + NAME_WIDTH + 14 + pitch * len(line) + 4
                texts.append(Text("total", x, y + 10, f"= {total}"))
            y += TERM_HEIGHT
    return texts
