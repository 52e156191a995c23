"""Real MLflow models, small and quick, and the model server that serves them."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
SERVER = ROOT / "pipelines" / "serving" / "src" / "model_server.py"
MEASURES = ("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)")
SETOSA, VIRGINICA = (5.1, 3.5, 1.4, 0.2), (6.7, 3.1, 5.6, 2.4)


def iris_request(*rows: tuple[float, ...], **more: Any) -> dict[str, Any]:
    """An infer request for rows of the four measures."""
    columns = zip(*rows, strict=True)
    inputs = [
        {"name": name, "shape": [len(rows)], "datatype": "FP64", "data": list(column)}
        for name, column in zip(MEASURES, columns, strict=True)
    ]
    return {"inputs": inputs, **more}


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def call(port: int, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
    """One HTTP request on a connection of its own; a body that is no bytes is sent as JSON."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection.request(method, path, data, dict(headers or {}))
        response = connection.getresponse()
        return Reply(response.status, dict(response.getheaders()), response.read())
    finally:
        connection.close()


@dataclass
class RunningServer:
    """A model server started by a test."""

    child: subprocess.Popen[str]
    port: int
    name: str
    log: Path

    def call(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
        return call(self.port, method, path, body, headers)

    def infer(self, body: Any) -> Reply:
        return self.call("POST", f"/v2/models/{self.name}/infer", body)

    def wait_ready(self, deadline_s: float = 90.0) -> None:
        end = time.monotonic() + deadline_s
        while self.call("GET", "/v2/health/ready").status != 200:
            assert self.child.poll() is None, self.log.read_text()
            assert time.monotonic() < end, "the server did not become ready"
            time.sleep(0.1)

    def end(self) -> int:
        self.child.terminate()
        return self.child.wait(timeout=30)


def start_server(model: Path, log: Path, *, name: str = "iris", options: tuple[str, ...] = ()) -> RunningServer:
    """Start a server on a free port and return as soon as it listens; what it writes goes to `log`."""
    argv = [
        sys.executable,
        str(SERVER),
        "--model",
        str(model),
        "--name",
        name,
        "--version",
        "1",
        "--port",
        "0",
        *options,
    ]
    with log.open("w") as errors:
        child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=errors, text=True, env=dict(os.environ))
    assert child.stdout is not None
    line = child.stdout.readline()
    found = re.search(r":(\d+)$", line.strip())
    assert found, (line, log.read_text())
    return RunningServer(child, int(found[1]), name, log)


def save(folder: Path, model: Any, example: Any, signature: Any) -> Path:
    """Save a model as MLflow does. Its class must be local to a function, so that it is pickled by value."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    import mlflow.pyfunc

    mlflow.pyfunc.save_model(
        folder, python_model=model, input_example=example, signature=signature, pip_requirements=["mlflow"]
    )
    return folder


def make_iris() -> tuple[Any, Any, Any]:
    """A classifier like the one our pipeline registers: model, example, signature."""
    import mlflow.pyfunc
    import pandas as pd
    from mlflow.models import infer_signature
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    class Iris(mlflow.pyfunc.PythonModel):
        def __init__(self, classifier: Any) -> None:
            self.classifier = classifier

        def predict(
            self,
            context: Any,  # noqa: ARG002 - MLflow passes arguments by these names
            model_input: pd.DataFrame,
            params: Any = None,  # noqa: ARG002
        ) -> pd.DataFrame:
            chances = self.classifier.predict_proba(model_input)
            labels = self.classifier.classes_[chances.argmax(axis=1)]
            return pd.DataFrame({"prediction": labels, "probability": chances.max(axis=1)})

    raw = load_iris(as_frame=True)
    model = Iris(LogisticRegression(max_iter=500).fit(raw.data, raw.target_names[raw.target]))
    return model, raw.data.head(3), infer_signature(raw.data, model.predict(None, raw.data))


def make_rule(offset: float) -> tuple[Any, Any, Any]:
    """Like the iris classifier from outside, but a rule of one line: servers start without scikit-learn's second."""
    import mlflow.pyfunc
    import pandas as pd
    from mlflow.models import infer_signature

    class Rule(mlflow.pyfunc.PythonModel):
        def predict(
            self,
            context: Any,  # noqa: ARG002 - MLflow passes arguments by these names
            model_input: pd.DataFrame,
            params: Any = None,  # noqa: ARG002
        ) -> pd.DataFrame:
            petals = model_input.iloc[:, 2]
            labels = ["setosa" if length < 2.5 else "virginica" for length in petals]
            return pd.DataFrame({"prediction": labels, "probability": 0.9 + offset})

    example = pd.DataFrame([SETOSA, VIRGINICA], columns=list(MEASURES))
    return Rule(), example, infer_signature(example, Rule().predict(None, example))


def make_mixed() -> tuple[Any, Any, Any]:
    """A model of every column type that tells what it got; `slow` takes four seconds, `boom` raises."""
    import time as clock

    import mlflow.pyfunc
    import pandas as pd
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

    class Mixed(mlflow.pyfunc.PythonModel):
        def predict(
            self,
            context: Any,  # noqa: ARG002 - MLflow passes arguments by these names
            model_input: pd.DataFrame,
            params: Any = None,
        ) -> pd.DataFrame:
            texts = model_input["text"].tolist()
            if "boom" in texts:
                raise RuntimeError("boom was asked for")
            if "slow" in texts:
                clock.sleep(4.0)
            answer = model_input.drop(columns="extra", errors="ignore").copy()
            answer["double"] = answer["double"] * params["factor"]
            answer["had_extra"] = "extra" in model_input
            return answer

    inputs = Schema(
        [
            ColSpec(DataType.double, "double"),
            ColSpec(DataType.float, "single"),
            ColSpec(DataType.integer, "small"),
            ColSpec(DataType.long, "large"),
            ColSpec(DataType.boolean, "flag"),
            ColSpec(DataType.string, "text"),
            ColSpec(DataType.datetime, "moment"),
            ColSpec(DataType.double, "extra", required=False),
        ]
    )
    example = pd.DataFrame(
        {
            "double": [1.5],
            "single": pd.Series([0.5], dtype="float32"),
            "small": pd.Series([3], dtype="int32"),
            "large": [2**40],
            "flag": [True],
            "text": ["é"],
            "moment": pd.Series(pd.to_datetime(["2026-01-31T12:00:00"])),
        }
    )
    parameters = ParamSchema([ParamSpec("factor", DataType.double, 1.0)])
    return Mixed(), example, ModelSignature(inputs=inputs, params=parameters)


@pytest.fixture(scope="session")
def iris_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A served-size iris model in a folder with a space and an umlaut."""
    return save(tmp_path_factory.mktemp("größe 1") / "iris model", *make_iris())


@pytest.fixture(scope="session")
def mixed_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("mixed") / "model", *make_mixed())


@pytest.fixture(scope="session")
def iris_server(iris_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    server = start_server(iris_model, tmp_path_factory.mktemp("iris-log") / "log")
    server.wait_ready()
    yield server
    assert server.end() == 0


@pytest.fixture(scope="session")
def mixed_server(mixed_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    options = ("--max-body-bytes", "20000")
    server = start_server(mixed_model, tmp_path_factory.mktemp("mixed-log") / "log", name="mixed", options=options)
    server.wait_ready()
    yield server
    assert server.end() == 0


@dataclass(frozen=True)
class Registered:
    """An MLflow database with registered models, at the place where a target keeps it."""

    home: Path

    @property
    def database(self) -> Path:
        return self.home / "mlflow" / "mlflow.db"

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.database}"


@pytest.fixture(scope="session")
def registered_models(tmp_path_factory: pytest.TempPathFactory) -> Registered:
    """`iris`: 1 (champion), 2 (challenger, tells itself apart by a probability above 1), 3 (its files are broken);
    `wine`: 1, without aliases. In a folder with spaces and an umlaut."""
    from platform_cli.tools.mlflow import initialise

    made = Registered(tmp_path_factory.mktemp("größe") / "ein ziel")
    initialise(made.uri, made.home / "mlflow" / "artifacts")
    for name, offset in (("iris", 0.0), ("iris", 10.0), ("iris", 0.0), ("wine", 0.0)):
        log_model(made.uri, name, offset)
    client = registry_client(made.uri)
    client.set_registered_model_alias("iris", "champion", "1")
    client.set_registered_model_alias("iris", "challenger", "2")
    (artifact_folder(made.uri, "iris", "3") / "python_model.pkl").write_bytes(b"no pickle")
    return made


def artifact_folder(uri: str, name: str, version: str) -> Path:
    """Where MLflow keeps the files of a registered version."""
    client = registry_client(uri)
    logged = client.get_logged_model(client.get_model_version(name, version).source.removeprefix("models:/"))
    return Path(urllib.request.url2pathname(urllib.parse.urlsplit(logged.artifact_location).path))


def registry_client(uri: str) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def log_model(uri: str, name: str, offset: float) -> None:
    register(uri, name, make_rule(offset))


def register(uri: str, name: str, made: tuple[Any, Any, Any]) -> None:
    """Register a version: a model, an example of its input and its signature."""
    import mlflow

    model, example, signature = made
    # Told by the environment: MLflow's own setter is for a whole process, and outlives what it is set back to.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", uri)
        with mlflow.start_run():
            mlflow.pyfunc.log_model(
                name="model",
                python_model=model,
                input_example=example,
                signature=signature,
                registered_model_name=name,
                pip_requirements=["mlflow"],
            )
