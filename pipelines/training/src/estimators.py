"""The model types people can name, and the estimators behind them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from typing import Any

from sklearn.base import BaseEstimator

from columns import CLASSIFICATION, REGRESSION
from step import ParameterError, did_you_mean

Space = Mapping[str, list[Any]]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An estimator, where it comes from, and the hyperparameters that are worth a search."""

    estimator: BaseEstimator
    library: str
    space: Space = field(default_factory=dict)

    @property
    def described(self) -> str:
        """Class and library, such as `LGBMClassifier, lightgbm 4.7.0`."""
        return f"{type(self.estimator).__name__}, {self.library} {version(self.library)}"


def build_candidate(model_type: str, task: str, hyperparameters: Mapping[str, Any], *, seed: int) -> Candidate:
    """The estimator for a model type, with its hyperparameters and seed set.

    Raises:
        ParameterError: no such model type for this task, or no such hyperparameter.
    """
    builders = _builders(model_type)
    if task not in builders:
        other = next(name for name, known in _MODEL_TYPES.items() if task in known and name.endswith("-regression"))
        raise ParameterError(f"model-type {model_type} does not do {task}; try {other}, or set task")
    candidate = builders[task]()
    known = candidate.estimator.get_params(deep=False)
    for name in hyperparameters:
        if name not in known:
            where = f"hyperparameters: {type(candidate.estimator).__name__} has no parameter '{name}'"
            raise ParameterError(where + did_you_mean(name, known))
    seeded = {"random_state": seed} if "random_state" in known else {}
    candidate.estimator.set_params(**(seeded | dict(hyperparameters)))
    return candidate


def _builders(model_type: str) -> Mapping[str, Callable[[], Candidate]]:
    if model_type not in _MODEL_TYPES:
        known = ", ".join(_MODEL_TYPES)
        raise ParameterError(f"no model-type '{model_type}'{did_you_mean(model_type, _MODEL_TYPES)}; known: {known}")
    return _MODEL_TYPES[model_type]


_FOREST_SPACE: Space = {
    "n_estimators": [50, 100, 200, 400],
    "max_depth": [None, 4, 8, 16],
    "min_samples_leaf": [1, 2, 4, 8],
    "max_features": ["sqrt", 0.5, 1.0],
}
_BOOSTING_SPACE: Space = {
    "n_estimators": [50, 100, 200, 400],
    "learning_rate": [0.02, 0.05, 0.1, 0.2],
    "max_depth": [3, 4, 6, 8],
}
_HISTOGRAM_SPACE: Space = {
    "max_iter": [50, 100, 200, 400],
    "learning_rate": [0.02, 0.05, 0.1, 0.2],
    "max_leaf_nodes": [7, 15, 31, 63],
}


def _forest(task: str) -> Candidate:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    chosen = RandomForestClassifier() if task == CLASSIFICATION else RandomForestRegressor()
    return Candidate(chosen, "scikit-learn", _FOREST_SPACE)


def _boosting(task: str) -> Candidate:
    """The first of XGBoost, LightGBM and scikit-learn's own that is installed; one thread, for equal results."""
    if importlib.util.find_spec("xgboost"):
        from xgboost import XGBClassifier, XGBRegressor

        chosen = XGBClassifier(n_jobs=1) if task == CLASSIFICATION else XGBRegressor(n_jobs=1)
        return Candidate(chosen, "xgboost", _BOOSTING_SPACE)
    if importlib.util.find_spec("lightgbm"):
        from lightgbm import LGBMClassifier, LGBMRegressor

        kind = LGBMClassifier if task == CLASSIFICATION else LGBMRegressor
        return Candidate(kind(n_jobs=1, verbosity=-1), "lightgbm", _BOOSTING_SPACE)
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    own = HistGradientBoostingClassifier() if task == CLASSIFICATION else HistGradientBoostingRegressor()
    return Candidate(own, "scikit-learn", _HISTOGRAM_SPACE)


def _logistic() -> Candidate:
    from sklearn.linear_model import LogisticRegression

    return Candidate(LogisticRegression(max_iter=1000), "scikit-learn", {"C": [0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0]})


def _linear() -> Candidate:
    from sklearn.linear_model import Ridge

    return Candidate(Ridge(), "scikit-learn", {"alpha": [0.001, 0.01, 0.1, 1.0, 10.0, 100.0]})


_MODEL_TYPES: Mapping[str, Mapping[str, Callable[[], Candidate]]] = {
    "random-forest": {task: partial(_forest, task) for task in (CLASSIFICATION, REGRESSION)},
    "gradient-boosting": {task: partial(_boosting, task) for task in (CLASSIFICATION, REGRESSION)},
    "logistic-regression": {CLASSIFICATION: _logistic},
    "linear-regression": {REGRESSION: _linear},
}
