"""Does one column alone tell the target? Then it was probably not known when the prediction has to be made."""

from __future__ import annotations

import numpy as np
import pandas as pd

from columns import CLASSIFICATION, NUMERIC, numeric_values

_BINS = 20
_LEAST_COVERAGE = 0.5


def leakage_score(column: pd.Series, kind: str, target: pd.Series, task: str) -> float:
    """How well a column alone tells the target, from 0 to 1.

    Classification: the share of rows whose class is the most frequent one among the rows with the same value (numbers:
    the same of 20 bins); 1 when each class has a range of numbers to itself. Regression: the larger of |Pearson| and
    |Spearman| for numbers, and for other columns the share of the target's variance that the values explain. A column
    with mostly unique values tells nothing (0).
    """
    known = column.notna() & target.notna()
    column, target = column[known], target[known]
    if task == CLASSIFICATION:
        if kind == NUMERIC and _separates(numeric_values(column), target):
            return 1.0
        return _majority_share(_groups(column, kind), target)
    if kind == NUMERIC:
        return _correlation(numeric_values(column), numeric_values(target))
    return _explained_variance(_groups(column, kind), numeric_values(target))


def _groups(column: pd.Series, kind: str) -> np.ndarray:
    """A group number per row; -1 where the value occurs once and so tells nothing about other rows."""
    if kind == NUMERIC and column.nunique() > _BINS:
        values = numeric_values(column)
        edges = np.unique(np.quantile(values, np.linspace(0, 1, _BINS + 1)[1:-1]))
        codes = np.searchsorted(edges, values)
    else:
        codes, _ = pd.factorize(column)
    sizes = np.bincount(codes) if len(codes) else np.array([0])
    return np.where(sizes[codes] > 1, codes, -1) if len(codes) else codes


def _separates(values: np.ndarray, target: pd.Series) -> bool:
    """Whether the classes lie one after the other along these numbers."""
    order = np.argsort(values, kind="stable")
    codes, classes = pd.factorize(target.to_numpy()[order])
    changes = np.flatnonzero(np.diff(codes))
    apart = np.all(values[order][changes] < values[order][changes + 1])
    return len(classes) > 1 and len(changes) == len(classes) - 1 and bool(apart)


def _majority_share(groups: np.ndarray, target: pd.Series) -> float:
    told = groups >= 0
    if not len(groups) or told.mean() < _LEAST_COVERAGE:
        return 0.0
    classes, _ = pd.factorize(target)
    table = np.zeros((groups.max() + 1, classes.max() + 1))
    np.add.at(table, (groups[told], classes[told]), 1)
    return float(table.max(axis=1).sum() / told.sum())


def _correlation(values: np.ndarray, target: np.ndarray) -> float:
    finite = np.isfinite(values) & np.isfinite(target)
    values, target = values[finite], target[finite]
    if len(values) < 3 or np.ptp(values) == 0 or np.ptp(target) == 0:  # noqa: PLR2004 - two points always correlate
        return 0.0
    ranks = pd.Series(values).rank().to_numpy(), pd.Series(target).rank().to_numpy()
    return float(max(abs(np.corrcoef(values, target)[0, 1]), abs(np.corrcoef(*ranks)[0, 1])))


def _explained_variance(groups: np.ndarray, target: np.ndarray) -> float:
    told = (groups >= 0) & np.isfinite(target)
    if not len(groups) or told.mean() < _LEAST_COVERAGE or np.ptp(target[told]) == 0:
        return 0.0
    means = pd.Series(target[told]).groupby(groups[told]).transform("mean").to_numpy()
    return float(1 - np.var(target[told] - means) / np.var(target[told]))
