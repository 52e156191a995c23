"""Raw columns as the fitted transform expects them; the only home of this, so it travels inside every model."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd


def to_features(frame: pd.DataFrame, kinds: Mapping[str, str]) -> pd.DataFrame:
    """The columns that `kinds` names, in its order: numbers and booleans as float64, text as objects, NaN for nothing.

    Args:
        frame: rows with at least these columns.
        kinds: numeric, boolean or text by column name.

    Raises:
        KeyError: a column is missing.
    """
    return pd.DataFrame({name: _normalise(frame[name], kind) for name, kind in kinds.items()}, index=frame.index)


def _normalise(series: pd.Series, kind: str) -> pd.Series:
    if kind == "text":
        return series.astype(object).where(series.notna(), np.nan)
    if kind == "boolean":
        series = series.map({True: 1.0, False: 0.0})
    return pd.Series(series.to_numpy(dtype="float64", na_value=np.nan), index=series.index)
