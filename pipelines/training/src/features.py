"""From raw columns to a matrix: how the transform is built, and the folder in which the split and it travel on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from columns import BOOLEAN, CLASSIFICATION, NUMERIC, TEXT, to_frame
from dataset import read_table
from raw_columns import to_features
from step import read_json

FORMAT = 1
MOST_CATEGORIES = 50
"""Rarer values of a text column share one category."""

TRAIN, HOLDOUT, TRANSFORM, DESCRIPTION = "train.parquet", "holdout.parquet", "transform.joblib", "features.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What the feature-engineering step handed on.

    Attributes:
        task: classification or regression.
        target: the name of the column to predict.
        kinds: numeric, boolean or text by the name of each feature column.
        classes: the classes in the order of their codes; empty for a regression.
        transform: the ColumnTransformer, fitted on the training part.
        folder: where the two parts are.
    """

    task: str
    target: str
    kinds: Mapping[str, str]
    classes: tuple[Any, ...]
    transform: ColumnTransformer
    folder: Path

    def part(self, name: str) -> tuple[pd.DataFrame, np.ndarray]:
        """Feature columns and target of `TRAIN` or `HOLDOUT`; classes as their codes, other targets as float64."""
        frame = to_frame(read_table(self.folder / name))
        return to_features(frame, self.kinds), self.encode(frame[self.target])

    def encode(self, target: pd.Series) -> np.ndarray:
        """The target as a model learns it: codes of classes, or float64."""
        if self.task != CLASSIFICATION:
            return target.to_numpy(dtype="float64")
        return pd.Index(self.classes).get_indexer(pd.Index(target))


def build_transform(kinds: Mapping[str, str]) -> ColumnTransformer:
    """The transform for columns of these kinds, not fitted.

    Numbers: median for what is missing, then zero mean and unit variance. Booleans: the more frequent value for what
    is missing. Text: one column per category, where a missing value is a category of its own; an unknown one counts
    as a rare one.
    """
    numbers = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    booleans = SimpleImputer(strategy="most_frequent", keep_empty_features=True)
    text = OneHotEncoder(
        handle_unknown="infrequent_if_exist", max_categories=MOST_CATEGORIES, sparse_output=False, dtype="float64"
    )
    parts = [(kind, how, _named(kinds, kind)) for kind, how in ((NUMERIC, numbers), (BOOLEAN, booleans), (TEXT, text))]
    return ColumnTransformer([part for part in parts if part[2]], verbose_feature_names_out=False)


def matrix_origins(transform: ColumnTransformer) -> list[str]:
    """The raw column behind every column of the matrix that a fitted transform makes."""
    origins: list[str] = []
    for kind, fitted, names in transform.transformers_:
        if kind != TEXT:
            origins += names
            continue
        rare = getattr(fitted, "infrequent_categories_", [None] * len(names))
        for name, categories, few in zip(names, fitted.categories_, rare, strict=True):
            origins += [name] * (len(categories) if few is None else len(categories) - len(few) + 1)
    return origins


def read_features(folder: Path) -> Features:
    """Read back what `feature_engineering.py` wrote."""
    description = read_json(folder / DESCRIPTION)
    return Features(
        task=description["task"],
        target=description["target"],
        kinds=description["columns"],
        classes=tuple(description["classes"]),
        transform=joblib.load(folder / TRANSFORM),
        folder=folder,
    )


def _named(kinds: Mapping[str, str], wanted: str) -> list[str]:
    return [name for name, kind in kinds.items() if kind == wanted]
