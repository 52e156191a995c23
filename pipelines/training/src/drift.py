"""Has the data changed since a reference profile was written? PSI and Kolmogorov-Smirnov per column.

PSI: sum over bins of (p - q) ln(p / q); below 0.1 nothing happened, above 0.25 the population is another one (the
usual reading in credit scoring). KS: the largest distance of the two distribution functions, here at the bin edges.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from columns import NUMERIC, numeric_values
from data_profile import FORMAT, bin_counts, category_counts
from step import ParameterError


@dataclass(frozen=True, slots=True)
class Drift:
    """How far one column has moved; `ks` is None where there is no order."""

    column: str
    psi: float
    ks: float | None


def measure_drift(frame: pd.DataFrame, reference: Mapping[str, Any]) -> tuple[Drift, ...]:
    """The drift of every column that the reference knows and the data still has as the same kind."""
    known = reference["columns"]
    return tuple(
        _column_drift(frame[name], name, known[name]) for name in frame.columns if _comparable(frame, known, name)
    )


def check_reference(content: Any, source: str) -> Mapping[str, Any]:
    """What a reference profile's file holds, when it is one.

    Raises:
        ParameterError: it is not.
    """
    if not isinstance(content, dict) or content.get("format") != FORMAT or not isinstance(content.get("columns"), dict):
        raise ParameterError(f"reference-profile: {source} is not a data profile of format {FORMAT}")
    return content


def population_stability(reference: np.ndarray, current: np.ndarray) -> float:
    """PSI of two histograms over the same bins; half a row is added to each bin, since empty ones have no logarithm."""
    p = (reference + 0.5) / (reference.sum() + 0.5 * len(reference))
    q = (current + 0.5) / (current.sum() + 0.5 * len(current))
    return float(np.sum((q - p) * np.log(q / p)))


def kolmogorov_smirnov(reference: np.ndarray, current: np.ndarray) -> float:
    """The largest distance of two cumulated histograms over the same bins, from 0 to 1."""
    p = np.cumsum(reference) / max(reference.sum(), 1)
    q = np.cumsum(current) / max(current.sum(), 1)
    return float(np.max(np.abs(p - q)))


def _comparable(frame: pd.DataFrame, known: Mapping[str, Any], name: str) -> bool:
    numeric = pd.api.types.is_numeric_dtype(frame[name]) and not pd.api.types.is_bool_dtype(frame[name])
    return name in known and numeric == (known[name]["kind"] == NUMERIC)


def _column_drift(series: pd.Series, name: str, known: Mapping[str, Any]) -> Drift:
    reference = np.array(known["counts"])
    if known["kind"] != NUMERIC:
        current = category_counts(series, known.get("categories", []))
        return Drift(column=name, psi=population_stability(reference, current), ks=None)
    current = bin_counts(numeric_values(series), known["edges"])
    psi, ks = population_stability(reference, current), kolmogorov_smirnov(reference, current)
    return Drift(column=name, psi=psi, ks=ks)
