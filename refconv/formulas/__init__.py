"""Closed output-size formulas by name, and the derivation of a layer's size in words and numbers."""

from __future__ import annotations

from refconv.formulas.cost import Cost, cost
from refconv.formulas.derivation import AxisExplanation, Explanation, derive
from refconv.formulas.table import FORMULAS, Formula

__all__ = ["FORMULAS", "AxisExplanation", "Cost", "Explanation", "Formula", "cost", "derive"]
