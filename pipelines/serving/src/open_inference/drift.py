"""How far the rows asked about have moved from those the model was trained on: a PSI per input column.

Training packs the profile of its data with the model (`data_profile.py` there). The population stability index is the
sum over bins of (p - q) ln(p / q); below 0.1 nothing happened, above 0.25 the population is another one (the usual
reading in credit scoring). A thousand rows at most are kept, as numbers, and compared when metrics are read.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

NAME = "mlops_drift_psi"
WINDOW_ROWS = 1000
LEAST_ROWS = 200
FORMAT = 1
# Chance alone makes an index of about bins / rows: this keeps it below 0.1.
_ROWS_PER_BIN = 15
# Rarer categories count as one: of a column of names, nearly every value is new.
_ROWS_PER_CATEGORY = 20
_MISSING = "(missing)"
_log = logging.getLogger(__name__)

Array = np.ndarray[Any, Any]


class Feature(Protocol):
    """One column of the profile."""

    @property
    def reference(self) -> Array:
        """Training rows per bin."""

    def keep(self, values: Array | None) -> Array | float:
        """Values of a request as numbers; None is a column that was not sent."""

    def count(self, kept: Array) -> Array:
        """Kept rows per bin."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """A numeric column: bins between edges, the outer ones without end, and one for what is missing."""

    edges: Array
    reference: Array

    def keep(self, values: Array | None) -> Array | float:
        """The values themselves."""
        return np.nan if values is None else values

    def count(self, kept: Array) -> Array:
        """As `Feature.count`."""
        present = kept[~np.isnan(kept)]
        bins = np.searchsorted(self.edges, present, side="right")
        counts = np.bincount(bins, minlength=len(self.edges) + 1)
        return np.append(counts, len(kept) - len(present))


@dataclass(frozen=True, slots=True)
class Categories:
    """A column of texts or booleans: frequent values by their place, and one last bin for all others."""

    places: Mapping[str, int]
    reference: Array

    def keep(self, values: Array | None) -> Array | float:
        """The places of the values: texts themselves may be long."""
        rest = len(self.places)
        if values is None:
            return self.places.get(_MISSING, rest)
        names = (_MISSING if value is None else str(value) for value in values.tolist())
        return np.array([self.places.get(name, rest) for name in names])

    def count(self, kept: Array) -> Array:
        """As `Feature.count`."""
        return np.bincount(kept.astype(int), minlength=len(self.reference))


class Drift(Collector):
    """The last rows that a model was asked about, and how far they are from its training data.

    Rows are added and metrics read on one thread, the event loop's.
    """

    def __init__(self, features: Mapping[str, Feature]) -> None:
        self._features = features
        self._rows = np.empty((len(features), WINDOW_ROWS))
        self._next = 0
        self._filled = 0

    def add(self, columns: Mapping[str, Array], rows: int) -> None:
        """Rows of one request, by column; only the last `WINDOW_ROWS` of them count."""
        start = max(0, rows - WINDOW_ROWS)
        while start < rows:
            count = min(rows - start, WINDOW_ROWS - self._next)
            self._write(columns, start, count)
            start += count

    def measure(self) -> dict[str, float]:
        """The index by column, of those that enough rows have been seen for."""
        return {
            name: population_stability(feature.reference, feature.count(kept[: self._filled]))
            for kept, (name, feature) in zip(self._rows, self._features.items(), strict=True)
            if self._filled >= max(LEAST_ROWS, _ROWS_PER_BIN * len(feature.reference))
        }

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """The metric, for Prometheus."""
        family = GaugeMetricFamily(NAME, "Population stability index of an input against training.", labels=["feature"])
        for name, index in self.measure().items():
            family.add_metric([name], index)
        yield family

    def _write(self, columns: Mapping[str, Array], start: int, count: int) -> None:
        for kept, (name, feature) in zip(self._rows, self._features.items(), strict=True):
            values = columns.get(name)
            part = None if values is None else values[start : start + count]
            kept[self._next : self._next + count] = feature.keep(part)
        self._filled = max(self._filled, self._next + count)
        self._next = (self._next + count) % WINDOW_ROWS


def population_stability(reference: Array, current: Array) -> float:
    """PSI of two histograms over the same bins; half a row is added to each bin, since empty ones have no logarithm."""
    p = (reference + 0.5) / (reference.sum() + 0.5 * len(reference))
    q = (current + 0.5) / (current.sum() + 0.5 * len(current))
    return float(np.sum((q - p) * np.log(q / p)))


def read_drift(profile: Path | None, inputs: Sequence[str]) -> Drift | None:
    """What a model's profile makes comparable; None when there is none, or it cannot be read: models serve without.

    Args:
        profile: the JSON file of `data_profile.py`.
        inputs: the model's input columns.
    """
    if profile is None:
        return None
    try:
        return Drift(_read_features(json.loads(profile.read_text(encoding="utf-8")), inputs))
    except (OSError, ValueError, KeyError, TypeError) as error:
        _log.warning("no drift is measured: %s is no profile: %s: %s", profile, type(error).__name__, error)
        return None


def _read_features(content: Any, inputs: Sequence[str]) -> dict[str, Feature]:
    if content["format"] != FORMAT:
        raise ValueError(f"format {content['format']}, wanted {FORMAT}")
    known = content["columns"]
    return {name: _read_feature(known[name]) for name in inputs if name in known}


def _read_feature(column: Mapping[str, Any]) -> Feature:
    counts = np.array(column["counts"], dtype=float)
    if "edges" in column:
        return Numbers(np.array(column["edges"], dtype=float), np.append(counts, column["nulls"]))
    names = column["categories"]
    frequent = [at for at in range(len(names)) if counts[at] >= _ROWS_PER_CATEGORY]
    rest = counts.sum() - counts[frequent].sum()
    return Categories({names[at]: place for place, at in enumerate(frequent)}, np.append(counts[frequent], rest))
