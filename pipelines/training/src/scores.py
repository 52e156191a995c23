"""How good predictions are, by task; the first score of each task is the one that gates and searches go by."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from sklearn import metrics

from columns import CLASSIFICATION

MAIN_SCORE: Mapping[str, str] = {CLASSIFICATION: "accuracy", "regression": "r2"}
SHOWN: Mapping[str, str] = {"accuracy": "accuracy", "r2": "R²"}


def score(task: str, truth: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Accuracy, balanced accuracy and macro F1; or R², root mean square error and mean absolute error.

    Args:
        task: classification or regression.
        truth: classes or numbers, one per row.
        predicted: the same for the predictions.
    """
    if task == CLASSIFICATION:
        return {
            "accuracy": float(metrics.accuracy_score(truth, predicted)),
            "balanced_accuracy": float(metrics.balanced_accuracy_score(truth, predicted)),
            "f1_macro": float(metrics.f1_score(truth, predicted, average="macro", zero_division=0)),
        }
    return {
        "r2": float(metrics.r2_score(truth, predicted)),
        "rmse": float(metrics.root_mean_squared_error(truth, predicted)),
        "mae": float(metrics.mean_absolute_error(truth, predicted)),
    }
