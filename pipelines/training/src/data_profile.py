"""The profile of a data set: what a later run needs to tell whether its data has changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from columns import EMPTY, FEATURE_KINDS, NUMERIC, numeric_values

FORMAT = 1
_MOST_BINS = 10
_ROWS_PER_BIN = 20
_MOST_CATEGORIES = 50
MISSING, OTHER = "(missing)", "(other)"


def profile(frame: pd.DataFrame, kinds: Mapping[str, str], *, target: str, sha256: str) -> dict[str, Any]:
    """Counts per bin and per category of every plain column, ready for JSON."""
    known = {name: kind for name, kind in kinds.items() if kind in (*FEATURE_KINDS, EMPTY)}
    columns = {name: _column(frame[name], kind) for name, kind in known.items()}
    return {"format": FORMAT, "sha256": sha256, "rows": len(frame), "target": target, "columns": columns}


def bin_counts(values: np.ndarray, edges: list[float]) -> np.ndarray:
    """Values per bin; the first and the last bin reach to infinity, so nothing falls outside. NaN is not counted."""
    counts, _ = np.histogram(values[~np.isnan(values)], bins=[-np.inf, *edges, np.inf])
    return counts


def category_counts(series: pd.Series, categories: list[str]) -> np.ndarray:
    """Rows per category; whatever is not among `categories` counts as `(other)`, which is last."""
    names = _names(series)
    known = names.where(names.isin(categories), OTHER)
    counts = known.value_counts()
    return np.array([int(counts.get(name, 0)) for name in (*categories, OTHER)])


def _column(series: pd.Series, kind: str) -> dict[str, Any]:
    shared = {"kind": kind, "nulls": int(series.isna().sum()), "distinct": int(series.nunique())}
    return shared | (_numeric(numeric_values(series)) if kind == NUMERIC else _categorical(series))


def _numeric(values: np.ndarray) -> dict[str, Any]:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return {"edges": [], "counts": [0]}
    bins = int(np.clip(len(finite) // _ROWS_PER_BIN, 2, _MOST_BINS))
    edges = np.unique(np.quantile(finite, np.linspace(0, 1, bins + 1)[1:-1])).tolist()
    figures = {"min": finite.min(), "max": finite.max(), "mean": finite.mean(), "std": finite.std()}
    return {
        **{name: float(value) for name, value in figures.items()},
        "edges": edges,
        "counts": bin_counts(values, edges).tolist(),
    }


def _categorical(series: pd.Series) -> dict[str, Any]:
    names = _names(series)
    counted = names.value_counts()
    ordered = sorted(counted.index, key=lambda name: (-counted[name], name))
    categories = ordered[:_MOST_CATEGORIES]
    return {"categories": categories, "counts": category_counts(series, categories).tolist()}


def _names(series: pd.Series) -> pd.Series:
    return series.astype(object).where(series.notna(), MISSING).astype(str)
