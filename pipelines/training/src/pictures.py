"""Pictures of a training, drawn without a screen and without pyplot's global state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

_MOST_CLASSES = 30
_MOST_COLUMNS = 25
_DPI = 110


def draw_confusion(truth: np.ndarray, predicted: np.ndarray, classes: Sequence[Any], path: Path) -> None:
    """Rows of each class by the class they were predicted to be, from predictions of folds that did not know them."""
    counts = np.zeros((len(classes), len(classes)), dtype=int)
    np.add.at(counts, (truth, predicted), 1)
    side = min(3 + 0.6 * len(classes), 14)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    axes = figure.subplots()
    axes.imshow(counts, cmap="Blues")
    names = [str(name) for name in classes]
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="predicted", ylabel="truth", title="Confusion matrix, cross-validated")
    if len(classes) <= _MOST_CLASSES:
        for (row, column), number in np.ndenumerate(counts):
            shade = "white" if number > counts.max() / 2 else "black"
            axes.text(column, row, number, ha="center", va="center", color=shade)
    _save(figure, path)


def draw_importances(importances: Mapping[str, float], path: Path) -> None:
    """What each raw column contributes, the largest on top."""
    shown = list(importances.items())[:_MOST_COLUMNS][::-1]
    figure = Figure(figsize=(7, 1.2 + 0.3 * len(shown)), layout="constrained")
    axes = figure.subplots()
    axes.barh([name for name, _ in shown], [share for _, share in shown])
    axes.set(xlabel="share", title="Feature importance")
    _save(figure, path)


def draw_predictions(truth: np.ndarray, predicted: np.ndarray, path: Path) -> None:
    """Predicted against true numbers, from predictions of folds that did not know them."""
    figure = Figure(figsize=(6, 6), layout="constrained")
    axes = figure.subplots()
    axes.scatter(truth, predicted, s=12, alpha=0.6)
    ends = [min(truth.min(), predicted.min()), max(truth.max(), predicted.max())]
    axes.plot(ends, ends, color="gray", linewidth=1)
    axes.set(xlabel="truth", ylabel="predicted", title="Predictions, cross-validated")
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasAgg(figure)
    # Without the version in it the same picture has the same bytes.
    figure.savefig(path, dpi=_DPI, metadata={"Software": None})
