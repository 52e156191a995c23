"""The registered model: MLflow runs this file wherever the model is loaded, so it needs nothing of the project's.

Beside it in the model are `raw_columns.py`, the fitted pipeline, `features.json`, and for the model server the data's
profile.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

from raw_columns import to_features


class PackagedModel(PythonModel):
    """Raw columns in, predictions out: the features are made by the very transform that training fitted."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the fitted pipeline and the description of its columns."""
        self.pipeline = joblib.load(context.artifacts["pipeline"])
        self.description = json.loads(Path(context.artifacts["features"]).read_text(encoding="utf-8"))

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """One row per row of the input.

        Args:
            context: unused; MLflow gives it.
            model_input: the raw columns of the signature.
            params: `{"probabilities": true}` adds one column `probability_CLASS` per class.

        Returns:
            `prediction`; for classes also `probability`, that of the predicted class.
        """
        del context
        rows = to_features(model_input, self.description["columns"])
        if not self.description["classes"]:
            return pd.DataFrame({"prediction": self.pipeline.predict(rows)}, index=model_input.index)
        return self._classify(rows, all_classes=bool((params or {}).get("probabilities")))

    def _classify(self, rows: pd.DataFrame, *, all_classes: bool) -> pd.DataFrame:
        classes = pd.Index(self.description["classes"])[self.pipeline.classes_]
        shares = self.pipeline.predict_proba(rows)
        best = shares.argmax(axis=1)
        columns = {"prediction": classes.take(best), "probability": shares.max(axis=1)}
        if all_classes:
            columns |= {f"probability_{name}": shares[:, at] for at, name in enumerate(classes)}
        return pd.DataFrame(columns, index=rows.index)


set_model(PackagedModel())
