"""The model server tells how far what it is asked about has moved from the training data, and an alert hears it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from own_chart import of_kind
from pipeline_fixtures import MEASURES, TrainedModel
from serving_fixtures import RunningServer, iris_request, start_server

import data_profile
import drift as training_drift
from open_inference.drift import LEAST_ROWS, WINDOW_ROWS, Drift, Numbers, population_stability, read_drift

PROMTOOL = os.environ.get("PROMTOOL") or shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="needs promtool (Debian: prometheus), or PROMTOOL")


# --- the real server, with the model that the pipeline registers ------------------------------------------------------


@pytest.fixture(scope="module")
def packaged(iris_run: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The registered model's files, as they come to a server."""
    import mlflow

    with pytest.MonkeyPatch.context() as patch:
        iris_run.store.enter(patch)
        return Path(
            mlflow.artifacts.download_artifacts(iris_run.uri, dst_path=str(tmp_path_factory.mktemp("packaged")))
        )


@pytest.fixture
def server(packaged: Path, tmp_path: Path) -> Iterator[RunningServer]:
    running = start_server(packaged, tmp_path / "log")
    running.wait_ready()
    yield running
    assert running.end() == 0


def sample(rows: int, *, longer: float = 0.0) -> list[tuple[float, ...]]:
    """Rows of iris drawn at random, always the same; `longer` centimetres are added to the petals."""
    from sklearn.datasets import load_iris

    picked = load_iris(as_frame=True).data.sample(rows, replace=True, random_state=7)
    picked["petal length (cm)"] += longer
    return [tuple(map(float, row)) for row in picked.itertuples(index=False)]


def ask(server: RunningServer, rows: list[tuple[float, ...]]) -> None:
    for start in range(0, len(rows), 100):
        assert server.infer(iris_request(*rows[start : start + 100])).status == 200


def scrape(server: RunningServer) -> dict[str, float]:
    text = server.call("GET", "/metrics").body.decode()
    return {name: float(value) for name, value in re.findall(r'mlops_drift_psi\{feature="([^"]+)"\} (\S+)', text)}


def test_nothing_is_said_of_a_few_rows(server: RunningServer) -> None:
    ask(server, sample(LEAST_ROWS - 1))
    assert scrape(server) == {}
    ask(server, sample(1))
    assert set(scrape(server)) == set(MEASURES)


def test_rows_like_those_of_training_have_not_moved(server: RunningServer) -> None:
    ask(server, sample(1000))
    assert max(scrape(server).values()) < 0.1


def test_the_input_that_moved_is_named_and_forgotten_when_it_is_back(server: RunningServer) -> None:
    ask(server, sample(600, longer=1.5))
    moved = scrape(server)
    assert moved.pop("petal length (cm)") > 0.25
    assert max(moved.values()) < 0.1
    ask(server, sample(WINDOW_ROWS))
    assert max(scrape(server).values()) < 0.1


def test_missing_values_are_a_move(server: RunningServer) -> None:
    body = iris_request(*sample(400))
    body["inputs"][0]["data"][:100] = [None] * 100
    assert server.infer(body).status == 200
    assert scrape(server)[MEASURES[0]] > 0.25


def test_refused_rows_do_not_count(server: RunningServer) -> None:
    body = iris_request(*sample(400))
    body["inputs"][0]["data"][0] = "tall"
    assert server.infer(body).status == 400
    assert scrape(server) == {}


def test_a_model_without_a_profile_is_served_all_the_same(iris_server: RunningServer) -> None:
    assert iris_server.infer(iris_request(*sample(400))).status == 200
    assert scrape(iris_server) == {}


def test_a_broken_profile_only_silences_the_metric(packaged: Path, tmp_path: Path) -> None:
    broken = Path(shutil.copytree(packaged, tmp_path / "model"))
    found = yaml.safe_load((broken / "MLmodel").read_text())["flavors"]["python_function"]["artifacts"]["profile"]
    (broken / found["path"]).write_text("{")
    running = start_server(broken, tmp_path / "log")
    running.wait_ready()
    ask(running, sample(300))
    assert scrape(running) == {}
    assert running.end() == 0
    assert "no drift is measured" in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", '{"format": 2, "columns": {}}', '{"format": 1, "columns": {"a": {"edges": [0], "counts": "x"}}}'],
    ids=["none", "empty", "list", "newer", "no-counts"],
)
def test_what_is_no_profile_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "profile.json").write_text(text)
    assert read_drift(tmp_path / "profile.json", ["a"]) is None
    assert read_drift(tmp_path / "absent.json", ["a"]) is None
    assert read_drift(None, ["a"]) is None


# --- the measure ------------------------------------------------------------------------------------------------------


def watch(frame: pd.DataFrame, kinds: dict[str, str], folder: Path) -> Drift:
    """What a server makes of training data."""
    path = folder / "profile.json"
    path.write_text(json.dumps(data_profile.profile(frame, kinds, target="", sha256="")))
    found = read_drift(path, list(kinds))
    assert found is not None
    return found


def objects(values: list[Any]) -> np.ndarray[Any, Any]:
    return np.array(values, dtype=object)


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=60))
def test_it_is_the_index_that_training_uses(bins: list[tuple[int, int]]) -> None:
    reference, current = np.array(bins).T
    index = population_stability(reference, current)
    assert index == pytest.approx(training_drift.population_stability(reference, current))
    assert index >= 0


@given(st.lists(st.integers(1, 2500), min_size=1, max_size=12))
def test_the_window_holds_the_last_rows_whatever_they_came_in(sizes: list[int]) -> None:
    bins = Numbers(np.array([100.0, 1000.0, 3000.0, 9000.0]), np.array([9.0, 9.0, 9.0, 9.0, 9.0, 9.0]))
    watched = Drift({"a": bins})
    seen = np.arange(sum(sizes), dtype=float)
    for end, size in zip(np.cumsum(sizes), sizes, strict=True):
        watched.add({"a": seen[end - size : end]}, size)
    expected = population_stability(bins.reference, bins.count(seen[-WINDOW_ROWS:]))
    assert watched.measure() == ({"a": expected} if len(seen) >= LEAST_ROWS else {})


def test_bins_are_those_of_the_profile(tmp_path: Path) -> None:
    values = np.repeat([0.0, 1.0, 2.0, 3.0, np.nan], 60)
    watched = watch(pd.DataFrame({"a": values}), {"a": "numeric"}, tmp_path)
    watched.add({"a": values}, len(values))
    assert watched.measure()["a"] == pytest.approx(0, abs=1e-9)


COLOURS = ["red"] * 200 + ["green"] * 100 + ["blue"] * 60 + [None] * 40


@pytest.mark.parametrize(
    ("colours", "least", "most"),
    [
        (COLOURS, 0, 0.01),
        (["red"] * 400, 0.25, 99),
        (COLOURS[:200] + ["violet"] * 200, 0.25, 99),
        (COLOURS[:200] + [None] * 200, 0.25, 99),
    ],
    ids=["same", "one-only", "never-seen", "missing"],
)
def test_categories_are_compared_by_how_frequent_they_are(
    tmp_path: Path, colours: list[str | None], least: float, most: float
) -> None:
    watched = watch(pd.DataFrame({"a": objects(COLOURS)}), {"a": "text"}, tmp_path)
    watched.add({"a": objects(colours)}, len(colours))
    assert least <= watched.measure()["a"] <= most


def test_booleans_are_categories(tmp_path: Path) -> None:
    values = np.array([True] * 300 + [False] * 100)
    watched = watch(pd.DataFrame({"a": values}), {"a": "boolean"}, tmp_path)
    watched.add({"a": values}, 400)
    assert watched.measure()["a"] < 0.01
    watched.add({"a": np.zeros(1000, dtype=bool)}, 1000)
    assert watched.measure()["a"] > 0.25


def test_a_column_of_names_says_nothing(tmp_path: Path) -> None:
    names = objects([f"customer {number}" for number in range(400)])
    watched = watch(pd.DataFrame({"a": names}), {"a": "text"}, tmp_path)
    watched.add({"a": objects([f"new customer {number}" for number in range(400)])}, 400)
    assert watched.measure()["a"] < 0.01


def test_chance_alone_is_no_drift(tmp_path: Path) -> None:
    dice = np.random.default_rng(1)
    drawn = {"number": dice.normal(size=3000), "text": objects([f"kind {n}" for n in dice.integers(0, 50, 3000)])}
    kinds = {"number": "numeric", "text": "text"}
    watched = watch(pd.DataFrame({name: values[:2000] for name, values in drawn.items()}), kinds, tmp_path)
    said: list[float] = []
    for start in range(2000, 3000, 50):
        watched.add({name: values[start : start + 50] for name, values in drawn.items()}, 50)
        said += watched.measure().values()
    assert len(said) > 20
    assert max(said) < 0.1


def test_an_input_that_nobody_sends_is_missing(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": np.arange(400.0), "b": objects(["x"] * 400)})
    watched = watch(frame, {"a": "numeric", "b": "text"}, tmp_path)
    watched.add({}, 400)
    assert min(watched.measure().values()) > 0.25


def test_only_inputs_are_watched(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": np.arange(400.0), "target": np.arange(400.0)})
    (tmp_path / "p.json").write_text(
        json.dumps(data_profile.profile(frame, dict.fromkeys(frame, "numeric"), target="target", sha256=""))
    )
    watched = read_drift(tmp_path / "p.json", ["a", "unknown"])
    assert watched is not None
    watched.add({"a": np.arange(400.0), "unknown": np.arange(400.0)}, 400)
    assert set(watched.measure()) == {"a"}


# --- the alert --------------------------------------------------------------------------------------------------------


@needs_promtool
@pytest.mark.parametrize(("psi", "fires"), [("0.3", True), ("0.2", False)], ids=["moved", "still"])
def test_the_alert_fires_after_an_hour(tmp_path: Path, psi: str, *, fires: bool) -> None:
    rule = of_kind("existing", "PrometheusRule")["monitoring/mlops"]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rule["spec"]))
    labels = {"model": "iris", "feature": "petal length (cm)"}
    series = 'mlops_drift_psi{model="iris",feature="petal length (cm)",pod="a"}'
    alert = {
        "exp_labels": {"severity": "warning", **labels},
        "exp_annotations": {
            "summary": "petal length (cm) of iris no longer looks as in training",
            "description": "Train again on newer data, or find what changed at the source.",
        },
    }
    told = [
        {"eval_time": "30m", "alertname": "ModelInputsDrift", "exp_alerts": []},
        {"eval_time": "90m", "alertname": "ModelInputsDrift", "exp_alerts": [alert] if fires else []},
    ]
    given_series = [{"series": series, "values": f"{psi}x120"}]
    test = {"interval": "1m", "input_series": given_series, "alert_rule_test": told}
    (tmp_path / "test.yaml").write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "tests": [test]}))
    words = [str(PROMTOOL), "test", "rules", "test.yaml"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
