"""Cross-validation, search and the final fit: the same seed gives the same model."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import KFold, ParameterGrid, ParameterSampler, StratifiedKFold
from sklearn.pipeline import Pipeline

from columns import CLASSIFICATION
from estimators import Candidate, build_candidate
from features import TRAIN, Features, matrix_origins
from scores import MAIN_SCORE, score
from step import DataRefusedError, ParameterError, log

_LEAST_FOLDS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What people choose about the training."""

    model_type: str
    hyperparameters: Mapping[str, Any]
    folds: int
    search_iterations: int
    search_seconds: int
    seed: int


@dataclass(frozen=True, slots=True)
class Validation:
    """Cross-validated scores: one dict per fold, and for every training row its prediction from a fold without it."""

    folds: tuple[Mapping[str, float], ...]
    predicted: np.ndarray

    def mean(self, name: str) -> float:
        """The mean of a score over the folds."""
        return float(np.mean([fold[name] for fold in self.folds]))

    def std(self, name: str) -> float:
        """The standard deviation of a score over the folds."""
        return float(np.std([fold[name] for fold in self.folds]))

    def summary(self) -> dict[str, float]:
        """Mean and deviation of all scores, by the names they have in MLflow."""
        names = self.folds[0]
        return {f"cv_{name}_{how.__name__}": how(name) for name in names for how in (self.mean, self.std)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """The final model and how it came about; `truth` and `validation.predicted` are codes of classes or numbers."""

    pipeline: Pipeline
    candidate: Candidate
    hyperparameters: Mapping[str, Any]
    validation: Validation
    truth: np.ndarray
    importances: Mapping[str, float]
    trials: tuple[Mapping[str, Any], ...]


def train(features: Features, settings: Settings) -> Trained:
    """Validate, search when asked to, and fit on all training rows.

    Raises:
        ParameterError: the model type or a hyperparameter is not acceptable.
        DataRefusedError: a class has too few rows for two folds.
    """
    rows, target = features.part(TRAIN)
    candidate = build_candidate(settings.model_type, features.task, settings.hyperparameters, seed=settings.seed)
    folds = _folds(features.task, target, settings)
    validation = _cross_validate(features, candidate, rows, target, folds)
    chosen, validation, trials = _search(features, settings, candidate, validation, (rows, target, folds))
    final = build_candidate(settings.model_type, features.task, chosen, seed=settings.seed)
    matrix = features.transform.transform(rows)
    with _quiet():
        final.estimator.fit(matrix, target)
    return Trained(
        pipeline=Pipeline([("features", features.transform), ("estimator", final.estimator)]),
        candidate=final,
        hyperparameters=chosen,
        validation=validation,
        truth=target,
        importances=_importances(features, final, matrix, target, settings.seed),
        trials=trials,
    )


def _folds(task: str, target: np.ndarray, settings: Settings) -> KFold | StratifiedKFold:
    most = int(np.bincount(target).min()) if task == CLASSIFICATION else len(target)
    number = min(settings.folds, most)
    if settings.folds < _LEAST_FOLDS:
        raise ParameterError(f"cv-folds is {settings.folds}; expected 2 or more")
    if number < _LEAST_FOLDS:
        raise DataRefusedError("a class has fewer than 2 training rows; cross-validation is not possible")
    if number < settings.folds:
        log(f"{number} folds instead of {settings.folds}: the rarest class has {number} training rows")
    kind = StratifiedKFold if task == CLASSIFICATION else KFold
    return kind(n_splits=number, shuffle=True, random_state=settings.seed)


def _cross_validate(
    features: Features, candidate: Candidate, rows: pd.DataFrame, target: np.ndarray, folds: KFold | StratifiedKFold
) -> Validation:
    """The transform is fitted anew in each fold, so no fold knows anything of the rows it is tested on."""
    predicted = np.empty_like(target)
    scores = []
    for training, test in folds.split(rows, target):
        model = Pipeline([("features", clone(features.transform)), ("estimator", clone(candidate.estimator))])
        _fit_or_refuse(model, rows.iloc[training], target[training])
        predicted[test] = model.predict(rows.iloc[test])
        scores.append(score(features.task, target[test], predicted[test]))
    return Validation(tuple(scores), predicted)


def _fit_or_refuse(model: Pipeline, rows: pd.DataFrame, target: np.ndarray) -> None:
    with _quiet():
        matrix = model[:-1].fit_transform(rows)
        try:
            model[-1].fit(matrix, target)
        except _refusals() as error:
            # The matrix is finite and complete by now: what is left to be wrong are the values of hyperparameters.
            reason = str(error).splitlines()[0]
            raise ParameterError(f"hyperparameters: {type(model[-1]).__name__} refuses them: {reason}") from error


def _refusals() -> tuple[type[Exception], ...]:
    """What estimators raise at hyperparameters they do not like."""
    own = sys.modules.get("lightgbm.basic")
    return (ValueError, TypeError, own.LightGBMError) if own else (ValueError, TypeError)


def _search(
    features: Features,
    settings: Settings,
    candidate: Candidate,
    validation: Validation,
    data: tuple[pd.DataFrame, np.ndarray, KFold | StratifiedKFold],
) -> tuple[Mapping[str, Any], Validation, tuple[Mapping[str, Any], ...]]:
    """The best hyperparameters of a random search around those given, which take part; all trials, in order."""
    main = MAIN_SCORE[features.task]
    best = dict(settings.hyperparameters)
    trials = [{"hyperparameters": best, main: validation.mean(main)}]
    end = time.monotonic() + settings.search_seconds
    for chosen in _samples(candidate, settings):
        if time.monotonic() > end:
            log(f"search stopped after {settings.search_seconds} s and {len(trials) - 1} candidates")
            break
        hyperparameters = dict(settings.hyperparameters) | chosen
        tried = build_candidate(settings.model_type, features.task, hyperparameters, seed=settings.seed)
        outcome = _cross_validate(features, tried, *data)
        trials.append({"hyperparameters": hyperparameters, main: outcome.mean(main)})
        log(f"search: {chosen}: {main} {outcome.mean(main):.4f}")
        if outcome.mean(main) > validation.mean(main):
            best, validation = hyperparameters, outcome
    return best, validation, tuple(trials)


def _samples(candidate: Candidate, settings: Settings) -> list[dict[str, Any]]:
    space = {name: values for name, values in candidate.space.items() if name not in settings.hyperparameters}
    number = min(settings.search_iterations, len(ParameterGrid(space)))
    return list(ParameterSampler(space, number, random_state=settings.seed)) if number else []


def _importances(
    features: Features, candidate: Candidate, matrix: np.ndarray, target: np.ndarray, seed: int
) -> dict[str, float]:
    """The share of each raw column in what the estimator says (or permutation shows) its inputs are worth."""
    estimator = candidate.estimator
    if hasattr(estimator, "feature_importances_"):
        weights = np.asarray(estimator.feature_importances_, dtype="float64")
    elif hasattr(estimator, "coef_"):
        weights = np.abs(np.atleast_2d(estimator.coef_)).mean(axis=0)
    else:
        from sklearn.inspection import permutation_importance

        weights = permutation_importance(estimator, matrix, target, n_repeats=3, random_state=seed).importances_mean
    shares = pd.Series(np.clip(weights, 0, None)).groupby(matrix_origins(features.transform), sort=False).sum()
    total = shares.sum() or 1.0
    return {str(name): float(share / total) for name, share in shares.sort_values(ascending=False).items()}


def _quiet() -> warnings.catch_warnings:
    """LightGBM names the columns of a matrix that has none, and scikit-learn then warns of it in every prediction."""
    return warnings.catch_warnings(action="ignore", category=UserWarning)
