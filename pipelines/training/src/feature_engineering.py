"""Step 3: split the rows and fit the transform of the raw columns, on the training part only."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import step

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa


def main(argv: Sequence[str] | None = None) -> None:
    """Run the step on command line arguments; `step.StepError` says why it failed."""
    arguments = _parser().parse_args(argv)
    import joblib

    import features
    from dataset import read_table, write_table

    table = read_table(arguments.dataset)
    description, labels = describe(table, target=arguments.target_column, task=arguments.task)
    training, holdout = split(labels, description["task"], test_fraction=arguments.test_fraction, seed=arguments.seed)
    kept = table.select([*description["columns"], arguments.target_column])
    folder: Path = arguments.output
    write_table(kept.take(training), folder / features.TRAIN)
    write_table(kept.take(holdout), folder / features.HOLDOUT)
    transform = fit(kept.take(training), description["columns"])
    joblib.dump(transform, folder / features.TRANSFORM)
    sizes = {"seed": arguments.seed, "training_rows": len(training), "holdout_rows": len(holdout)}
    step.write_json(folder / features.DESCRIPTION, description | sizes)
    _tell(arguments, description, sizes, width=len(features.matrix_origins(transform)))


def describe(table: pa.Table, *, target: str, task: str) -> tuple[dict[str, Any], np.ndarray]:
    """What is learned from what: task, target, classes, and the kind of every feature column; and the target's values.

    Raises:
        DataRefusedError: no such target, it has missing values, or there is nothing to learn from.
    """
    import columns

    kinds, frame = columns.column_kinds(table), columns.to_frame(table)
    _check_target(frame, kinds, target)
    names = columns.feature_names(kinds, target)
    if not names:
        raise step.DataRefusedError(f"no column is left to predict '{target}' from")
    task = task if task != "auto" else columns.detect_task(frame[target], kinds[target])
    if task == columns.REGRESSION and kinds[target] != columns.NUMERIC:
        raise step.DataRefusedError(f"the target '{target}' is {kinds[target]}, a regression needs numbers")
    classification = task == columns.CLASSIFICATION
    labels = columns.class_labels(frame[target], kinds[target]) if classification else frame[target].to_numpy()
    described = {
        "format": 1,
        "task": task,
        "target": target,
        "classes": sorted(set(labels.tolist())) if classification else [],
        "columns": {name: kinds[name] for name in names},
    }
    return described, labels


def split(labels: np.ndarray, task: str, *, test_fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers (from 0, ascending) of the training part and of the holdout; classes keep their shares in both.

    Raises:
        DataRefusedError: there are too few rows to split.
    """
    import numpy as np
    from sklearn.model_selection import train_test_split

    rows = np.arange(len(labels))
    stratify = labels.astype(str) if task == "classification" else None
    try:
        parts = train_test_split(rows, test_size=test_fraction, random_state=seed, stratify=stratify)
    except ValueError as error:
        raise step.DataRefusedError(
            f"cannot split {len(rows)} rows with test-fraction {test_fraction}: {error}"
        ) from None
    return np.sort(parts[0]), np.sort(parts[1])


def fit(training: pa.Table, kinds: Mapping[str, str]) -> Any:
    """The transform (a ColumnTransformer), fitted on these rows."""
    from columns import to_frame
    from features import build_transform
    from raw_columns import to_features

    return build_transform(kinds).fit(to_features(to_frame(training), kinds))


def _check_target(frame: pd.DataFrame, kinds: Mapping[str, str], target: str) -> None:
    if target not in kinds:
        raise step.DataRefusedError(f"no column '{target}'{step.did_you_mean(target, kinds)}")
    missing = int(frame[target].isna().sum())
    if missing:
        raise step.DataRefusedError(f"the target '{target}' is missing in {step.count(missing, 'row')}")


def _tell(arguments: argparse.Namespace, description: Mapping[str, Any], sizes: Mapping[str, int], width: int) -> None:
    kinds = list(description["columns"].values())
    step.log(
        f"{description['task']} of '{description['target']}', {step.count(len(kinds), 'column')} as {width} numbers"
    )
    step.log(f"{sizes['training_rows']} rows for training, {sizes['holdout_rows']} held out, seed {arguments.seed}")
    shown = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    step.finish(f"{shown}, fitted on {step.count(sizes['training_rows'], 'row')}", arguments.summary)


def _parser() -> step.Arguments:
    parser = step.Arguments(prog="feature_engineering.py", description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True, help="Parquet file of load_data.py")
    parser.add_argument("--target-column", required=True, help="the column to predict")
    parser.add_argument("--task", choices=("auto", "classification", "regression"), default="auto")
    parser.add_argument("--test-fraction", type=step.inner_fraction, default=0.2, help="share of rows held out")
    parser.add_argument("--seed", type=step.whole, default=1)
    parser.add_argument("--output", type=Path, required=True, help="folder to write: both parts and the transform")
    parser.add_argument("--summary", type=Path, help="text file to write: one line for people")
    return parser


if __name__ == "__main__":
    step.run(main)
