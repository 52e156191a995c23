"""Is a model good enough, and better than the champion? Both are measured on the same held-out rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PyFuncModel

from model_package import load_model
from scores import MAIN_SCORE, SHOWN, score
from step import GateMissedError
from tracking import found

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"


@dataclass(frozen=True, slots=True)
class Champion:
    """The version that is in charge; `score` is None when it could not be measured on these rows, for `reason`."""

    version: str
    score: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """The alias a model gets, and why in a few words."""

    alias: str
    reason: str = ""


def check_gate(task: str, reached: float, *, least: float) -> None:
    """The absolute gate.

    Raises:
        GateMissedError: the score is below the least acceptable one.
    """
    if reached < least:
        name = SHOWN[MAIN_SCORE[task]]
        limit = format_gate(least)
        raise GateMissedError(f"holdout {name} {reached:.3f} is below min-accuracy {limit}: nothing was registered")


def format_gate(least: float) -> str:
    """The least acceptable score with all its digits, two at the least: 0.90, 0.999."""
    return max(f"{least:.2f}", f"{least:g}", key=len)


def measure_champion(
    client: MlflowClient, name: str, task: str, rows: pd.DataFrame, truth: np.ndarray
) -> Champion | None:
    """The current champion's main score on these rows; None when there is no champion.

    Args:
        client: of the registry.
        name: the registered model.
        task: of the new model.
        rows: raw columns.
        truth: the target's own values.
    """
    version = find_champion(client, name)
    if version is None:
        return None
    try:
        champion = load_model(f"models:/{name}/{version}")
        predicted = _predict(champion, rows)
        reached = score(task, truth, predicted)[MAIN_SCORE[task]]
    except (MlflowException, ValueError, TypeError, KeyError, OSError, ImportError, AttributeError) as error:
        # Whatever is wrong with the champion must not stop its successor from being registered.
        return Champion(version, None, str(error).splitlines()[0] if str(error) else type(error).__name__)
    return Champion(version, reached)


def find_champion(client: MlflowClient, name: str) -> str | None:
    """The version with the alias `champion`.

    Raises:
        UnreachableError: the registry cannot be asked.
    """
    version = found(client.get_model_version_by_alias, name, CHAMPION)
    return None if version is None else str(version.version)


def decide(version: str, reached: float, champion: Champion | None) -> Decision:
    """Champion when there is none yet, this one is better, or it is this one already; else challenger."""
    if champion is None or champion.version == version:
        return Decision(CHAMPION)
    if champion.score is None:
        return Decision(CHALLENGER, f"champion v{champion.version} cannot predict these rows: {champion.reason}")
    compared = f"champion v{champion.version} has {champion.score:.3f}"
    if reached > champion.score:
        return Decision(CHAMPION, compared.replace(" has ", " had "))
    return Decision(CHALLENGER, compared)


def _predict(model: PyFuncModel, rows: pd.DataFrame) -> np.ndarray:
    known = model.metadata.get_input_schema()
    # A champion that was trained on fewer columns is still comparable.
    names = [name for name in known.input_names() if name in rows.columns] if known else list(rows.columns)
    return model.predict(rows[names])["prediction"].to_numpy()
