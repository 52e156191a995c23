"""The five training steps: real data, real MLflow, and every kind of bad input we know of."""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from pipeline_fixtures import MEASURES, MlflowStore, Steps, TrainedModel

from platform_cli.errors import UsageError
from platform_cli.workflow.step_code import refresh_defaults, step_code_files, step_code_name
from step import DataRefusedError, GateMissedError, ParameterError, UnreachableError

ROOT = Path(__file__).resolve().parent.parent
TRAINING = ROOT / "pipelines" / "training"
SOURCE = TRAINING / "src"
MANIFEST = TRAINING / "ml-training-workflow.yaml"
ARGO_CRDS = ROOT.parent / "shared" / "crds" / "argo-workflows-v4.0.10-full"


def run_program(script: str, *arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SOURCE / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, **options)


def write(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def mixed_frame(rows: int = 120) -> pd.DataFrame:
    """Numbers with gaps, text with gaps, booleans with gaps, and a class that follows from them with some noise."""
    random = np.random.default_rng(7)
    size, colour = random.normal(10, 3, rows), random.choice(["red", "green", "blue"], rows)
    ripe = random.random(rows) < 0.5
    good = (size + 4 * (colour == "red") + 3 * ripe + random.normal(0, 1, rows)) > 12.5
    frame = pd.DataFrame({"size": size, "colour": colour, "ripe": ripe, "grade": np.where(good, "good", "poor")})
    frame["count"] = random.integers(1, 9, rows)
    frame.loc[5, "size"], frame.loc[6, "colour"] = None, None
    frame["ripe"] = frame["ripe"].astype(object)
    frame.loc[7, "ripe"] = None
    return frame


def regression_frame(rows: int = 150) -> pd.DataFrame:
    random = np.random.default_rng(3)
    frame = pd.DataFrame(
        {"x1": random.normal(size=rows), "x2": random.normal(size=rows), "k": random.choice(["a", "b"], rows)}
    )
    frame["price"] = 3 * frame.x1 - 2 * frame.x2 + 2.0 * (frame.k == "a") + random.normal(0, 0.5, rows)
    return frame


# ---- load-data ------------------------------------------------------------------------------------------------------


def test_iris_is_built_in(steps: Steps, iris_dataframe: pd.DataFrame) -> None:
    summary = steps.load("iris")
    metadata = json.loads(steps.path("data.json").read_text())
    assert summary == f"150 rows, 5 columns, sha256 {metadata['sha256'][:8]}…"
    pd.testing.assert_frame_equal(pd.read_parquet(steps.path("data.parquet")), iris_dataframe, check_dtype=False)


def test_csv_has_the_checksum_of_its_bytes_and_types(steps: Steps, iris_csv_path: Path) -> None:
    import hashlib

    steps.load(iris_csv_path)
    metadata = json.loads(steps.path("data.json").read_text())
    assert metadata["sha256"] == hashlib.sha256(iris_csv_path.read_bytes()).hexdigest()
    assert [column["type"] for column in metadata["columns"]] == ["double"] * 4 + ["string"]


def test_parquet_and_csv_of_the_same_rows_are_the_same_data(
    steps: Steps, iris_dataframe: pd.DataFrame, tmp_path: Path
) -> None:
    iris_dataframe.to_parquet(tmp_path / "iris.parquet")
    iris_dataframe.to_csv(tmp_path / "iris.csv", index=False)
    steps.load(tmp_path / "iris.parquet")
    from_parquet = pd.read_parquet(steps.path("data.parquet"))
    steps.load(tmp_path / "iris.csv")
    pd.testing.assert_frame_equal(from_parquet, pd.read_parquet(steps.path("data.parquet")), check_dtype=False)


def test_glob_reads_all_files_in_order(steps: Steps, tmp_path: Path) -> None:
    folder = tmp_path / "teile äöü und Leerzeichen"
    folder.mkdir()
    write(folder / "b.csv", "a,b\n3,z\n")
    write(folder / "a.csv", "a,b\n1,x\n2.5,y\n")
    assert steps.load(folder / "*.csv").startswith("3 rows, 2 columns")
    assert pd.read_parquet(steps.path("data.parquet"))["a"].tolist() == [1, 2.5, 3]


def test_tab_separated_files_and_byte_order_marks_are_read(steps: Steps, tmp_path: Path) -> None:
    assert steps.load(write(tmp_path / "x.tsv", b"\xef\xbb\xbfa\tb\n1\t2\n")).startswith("1 row, 2 columns")
    assert json.loads(steps.path("data.json").read_text())["columns"][0]["name"] == "a"


def test_line_ends_inside_quotes_are_data(steps: Steps, tmp_path: Path) -> None:
    steps.load(write(tmp_path / "x.csv", b'a,b\r\n1,"two\nlines"\r\n2,x\r\n'))
    assert pd.read_parquet(steps.path("data.parquet"))["b"].tolist() == ["two\nlines", "x"]


def test_columns_can_be_left_out(steps: Steps, tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", 'number,"a,b",c\n1,2,3\n')
    assert "1 column," in steps.load(path, '--drop-columns=["number", "a,b"]')
    with pytest.raises(ParameterError, match="no column 'nubmer', did you mean 'number'"):
        steps.load(path, "--drop-columns=nubmer")


BAD_FILES = {
    "empty": (b"", "the file is empty"),
    "blank": (b" \n\n", "the file is empty"),
    "header only": (b"a,b\n", "has a header but no rows"),
    "header without line end": (b"a,b", "has a header but no rows|cannot be read as CSV"),
    "doubled column": (b"a,b,a\n1,2,3\n", r"line 1: column 'a' appears twice \(columns 1 and 3\)"),
    "nameless column": (b"a,,c\n1,2,3\n", "line 1: column 2 has no name"),
    "value too many": (b"a,b\n1,2\n\n3,4,5\n", "line 4: 3 values, expected 2 as in the header"),
    "value too few": (b"a,b\n1,2\n3\n4,5\n", "line 3: 1 value, expected 2 as in the header"),
    "mixed line ends": (b"a,b\n1,2\n3,4\r\n", "line 3: mixed line ends: this one ends with CRLF"),
    "lone carriage return": (b"a,b\r\n1,2\r3,4\r\n", "line 2: mixed line ends: this one ends with CR,"),
    "NUL": (b"a,b\n1,\x002\n", "line 2, byte 3: a NUL byte"),
    "Latin-1": (b"a,b\n1,x\n2,caf\xe9\n", "line 3, byte 6: byte 0xe9 is not UTF-8"),
    "UTF-16": ("a,b\n1,2\n".encode("utf-16"), "UTF-16 text; save the file as UTF-8"),
    "open quote": (b'a,b\n1,x\n2,"y\n3,z\n', "line 3: a quote that is never closed"),
    "semicolons": (b"a;b\n1;2\n", "the columns seem to be separated by ';' instead of ','"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_csv_is_refused_with_its_line(case: str, steps: Steps, tmp_path: Path) -> None:
    content, reason = BAD_FILES[case]
    path = write(tmp_path / "bad.csv", content)
    with pytest.raises(DataRefusedError, match=reason) as refused:
        steps.load(path)
    assert str(refused.value).startswith(str(path))
    assert not steps.path("data.parquet").exists()


def test_malformed_csv_ends_the_program_with_3_and_one_line(malformed_csv_path: Path, tmp_path: Path) -> None:
    ended = run_program(
        "load_data.py", "--data-source", malformed_csv_path, "--output", tmp_path / "o", "--metadata", tmp_path / "m"
    )
    assert ended.returncode == 3
    assert ended.stderr.splitlines() == [f"{malformed_csv_path}: line 4: 4 values, expected 3 as in the header"]


def test_missing_file_names_a_close_one(steps: Steps, iris_csv_path: Path) -> None:
    with pytest.raises(DataRefusedError, match=r"no such file, did you mean 'iris\.csv'"):
        steps.load(iris_csv_path.with_name("irsi.csv"))


def test_folder_is_refused_with_a_glob_as_hint(steps: Steps, tmp_path: Path) -> None:
    with pytest.raises(DataRefusedError, match=r"is a folder; .* glob such as '.*\*\.csv'"):
        steps.load(tmp_path)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, unlike `tmp_path`."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_unreadable_file_is_refused(steps: Steps, open_folder: Path) -> None:
    path = write(open_folder / "secret.csv", "a,b\n1,2\n")
    path.chmod(0)
    user = os.geteuid()
    if user == 0:  # root may read everything: be somebody else for a moment
        os.seteuid(65534)
    try:
        with pytest.raises(DataRefusedError, match=rf"^{path}: may not be read \(permission denied\)$"):
            steps.load(path)
    finally:
        os.seteuid(user)


def test_something_that_is_no_file_is_refused(steps: Steps, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(DataRefusedError, match="not a regular file"):
        steps.load(tmp_path / "pipe.csv")


def test_size_limit_counts_all_files(steps: Steps, tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "a,b\n1,2\n")
    write(tmp_path / "b.csv", "a,b\n3,4\n")
    steps.load(tmp_path / "*.csv", "--max-bytes=16")
    with pytest.raises(DataRefusedError, match=r"b\.csv: the data is larger than max-bytes \(15\)"):
        steps.load(tmp_path / "*.csv", "--max-bytes=15")


def test_files_of_a_glob_need_the_same_columns(steps: Steps, tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "a,b\n1,2\n")
    write(tmp_path / "b.csv", "a,c\n3,4\n")
    with pytest.raises(DataRefusedError, match=r"b\.csv: lacks 'b', unlike .*a\.csv"):
        steps.load(tmp_path / "*.csv")
    with pytest.raises(DataRefusedError, match="no file matches this glob"):
        steps.load(tmp_path / "*.parquet")


def test_broken_parquet_and_unknown_types_are_refused(steps: Steps, tmp_path: Path) -> None:
    with pytest.raises(DataRefusedError, match="cannot be read as Parquet"):
        steps.load(write(tmp_path / "x.parquet", "no parquet at all"))
    with pytest.raises(DataRefusedError, match=r"files of type '\.xlsx' cannot be read"):
        steps.load(write(tmp_path / "x.xlsx", "x"))


def test_an_empty_source_is_a_parameter_error(steps: Steps) -> None:
    with pytest.raises(ParameterError, match="data-source is empty"):
        steps.load(" ")
    with pytest.raises(ParameterError, match="not a source we know"):
        steps.load("nosuch://x/y.csv")


@pytest.fixture
def web_folder(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    folder = tmp_path / "www"
    folder.mkdir()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_web_addresses_are_read_and_their_secrets_kept(steps: Steps, web_folder: tuple[Path, str]) -> None:
    folder, url = web_folder
    write(folder / "x.csv", "a,b\n1,2\n")
    assert steps.load(f"{url}/x.csv?signature=s3cr3t").startswith("1 row, 2 columns")
    assert "s3cr3t" not in steps.path("data.json").read_text()
    with pytest.raises(DataRefusedError, match=r"missing\.csv: not found"):
        steps.load(f"{url}/missing.csv")
    with pytest.raises(DataRefusedError, match="larger than max-bytes"):
        steps.load(f"{url}/x.csv", "--max-bytes=4")


def test_a_web_server_that_is_down_is_worth_a_retry(steps: Steps) -> None:
    with pytest.raises(UnreachableError, match="cannot be reached") as failed:
        steps.load("http://user:s3cr3t@127.0.0.1:9/x.csv?signature=s3cr3t")
    assert "s3cr3t" not in str(failed.value)


def test_s3_is_read_with_globs(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    boto3 = pytest.importorskip("boto3", reason="needs boto3")
    moto = pytest.importorskip("moto.server", reason="needs moto's server")
    pytest.importorskip("s3fs", reason="needs s3fs")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        for name, value in {
            "ENDPOINT_URL": f"http://{host}:{port}",
            "ACCESS_KEY_ID": "x",
            "SECRET_ACCESS_KEY": "y",
        }.items():
            monkeypatch.setenv(f"AWS_{name}", value)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        client = boto3.client("s3")
        client.create_bucket(Bucket="data", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        client.put_object(Bucket="data", Key="in/a.csv", Body=b"a,b\n1,2\n")
        client.put_object(Bucket="data", Key="in/b.csv", Body=b"a,b\n3,4\n")
        assert steps.load("s3://data/in/a.csv").startswith("1 row")
        assert steps.load("s3://data/in/*.csv").startswith("2 rows")
        with pytest.raises(DataRefusedError, match=r"s3://data/in/c\.csv: not found"):
            steps.load("s3://data/in/c.csv")
    finally:
        server.stop()


# ---- validate-data --------------------------------------------------------------------------------------------------


def validate_frame(steps: Steps, frame: pd.DataFrame, target: str, *more: str) -> str:
    path = steps.path("input.csv")
    frame.to_csv(path, index=False)
    steps.load(path)
    return steps.validate(target, *more)


def test_good_data_passes_and_leaves_both_reports(trained_model_artifacts: TrainedModel) -> None:
    steps = trained_model_artifacts.steps
    assert trained_model_artifacts.summaries["validate-data"] == "11 checks passed, report report.html"
    report = json.loads(steps.path("report.json").read_text())
    assert report["passed"] is True
    assert {check["status"] for check in report["checks"]} == {"passed", "skipped"}
    page = steps.path("report.html").read_text()
    assert "11 checks passed" in page
    assert "prefers-color-scheme: dark" in page
    assert "http" not in page.replace("http-equiv", "")
    assert "<script" not in page


def change(frame: pd.DataFrame, column: str, values: dict[int, object]) -> pd.DataFrame:
    frame = frame.astype({column: object})
    for row, value in values.items():
        frame.loc[row - 1, column] = value
    return frame


BadFrame = tuple[Callable[[pd.DataFrame], pd.DataFrame], tuple[str, ...], str]
BAD_FRAMES: dict[str, BadFrame] = {
    "wrong target": (
        lambda f: f.rename(columns={"species": "speceis"}),
        (),
        "no column 'species', did you mean 'speceis'",
    ),
    "target with gaps": (
        lambda f: change(f, "species", {3: None, 9: None}),
        (),
        r"the target 'species' is missing in 2 rows \(rows 3, 9\)",
    ),
    "text in numbers": (
        lambda f: change(f, MEASURES[0], {4: "n.a.", 77: "5,1"}),
        (),
        r"numeric column 'sepal length \(cm\)' holds text in 2 rows: 'n\.a\.', '5,1' \(rows 4, 77\)",
    ),
    "infinite": (
        lambda f: change(f, MEASURES[2], {10: "inf", 11: "-inf"}),
        (),
        r"'petal length \(cm\)' is infinite in 2 rows \(rows 10, 11\)",
    ),
    "NaN": (
        lambda f: change(f, MEASURES[1], dict.fromkeys(range(1, 31), "NaN")),
        (),
        r"'sepal width \(cm\)' lacks 30 of 150 values \(20%, allowed 10%\) \(rows 1, 2, .* and 20 more\)",
    ),
    "one class": (lambda f: f[f.species == "setosa"], (), r"has one class only \('setosa'\)"),
    "rare class": (lambda f: f[:103], (), r"class 'virginica' has 3 rows \(2\.9%, at least 5%\)"),
    "class of one row": (lambda f: f[:101], ("--min-class-fraction=0",), "class 'virginica' has 1 row"),
    "few rows": (lambda f: f[::4], (), "38 rows, at least 50 are needed"),
    "duplicates": (lambda f: pd.concat([f, f[:40]]), (), r"41 rows of 190 \(22%, allowed 10%\) repeat an earlier row"),
    "leak": (lambda f: f.assign(code=f.species.str[:3]), (), "column 'code' alone tells 100.0% of 'species'"),
    "leak by order": (lambda f: f.assign(id=range(len(f))), (), "column 'id' alone tells"),
    "dates": (
        lambda f: f.assign(day="2026-01-01"),
        (),
        "column 'day' holds dates or times; leave it out with drop-columns",
    ),
    "target only": (lambda f: f[["species"]], (), "'species' is the only column"),
    "below range": (
        lambda f: f,
        ('--schema={"sepal length (cm)": {"min": 4.4}, "species": {}}',),
        r"is below 4\.4 in 1 row \(row 14\)",
    ),
    "strange value": (
        lambda f: f,
        ('--schema={"species": {"values": ["setosa", "versicolor"]}}',),
        "is not one of setosa, versicolor in 50 rows",
    ),
    "schema lacks column": (
        lambda f: f,
        ('--schema={"species": {}, "sepal lenght (cm)": {}}',),
        r"did you mean 'sepal length \(cm\)'",
    ),
    "wrong type": (
        lambda f: f,
        (f"--schema={json.dumps({name: {'type': 'text'} for name in MEASURES} | {'species': {}})}",),
        r"column 'sepal length \(cm\)' is numeric, expected text",
    ),
    "text for a regression": (
        lambda f: f,
        ("--task=regression",),
        "the target 'species' is text, a regression needs numbers",
    ),
}


@pytest.mark.parametrize("case", BAD_FRAMES)
def test_bad_data_stops_the_run_and_is_named(case: str, steps: Steps, iris_dataframe: pd.DataFrame) -> None:
    spoil, parameters, reason = BAD_FRAMES[case]
    with pytest.raises(DataRefusedError, match=r"checks failed: ") as refused:
        validate_frame(steps, spoil(iris_dataframe), "species", *parameters)
    report = json.loads(steps.path("report.json").read_text())
    assert report["passed"] is False
    findings = [finding for check in report["checks"] for finding in check["findings"]]
    assert findings
    assert pd.Series([str(refused.value), *(finding["message"] for finding in findings)]).str.contains(reason).any()
    assert "the run was stopped here" in steps.path("report.html").read_text()
    assert steps.path("profile.json").exists()


def test_too_many_nulls_end_the_program_with_3(csv_with_nulls_path: Path, steps: Steps) -> None:
    steps.load(csv_with_nulls_path)
    paths = [f"--{name}={steps.path(name)}" for name in ("report", "report-json", "profile")]
    data = [f"--dataset={steps.path('data.parquet')}", f"--metadata={steps.path('data.json')}"]
    ended = run_program("validate_data.py", *data, "--target-column=species", *paths)
    assert ended.returncode == 3
    assert ended.stderr.splitlines()[-1].startswith(
        "1 of 11 checks failed: column 'sepal width (cm)' lacks 50 of 150 values (33%, allowed 10%) (rows 3, 6, 9,"
    )
    assert steps.validate("species", "--max-null-fraction=0.4").startswith("11 checks passed")


def test_html_in_data_stays_text(steps: Steps, iris_dataframe: pd.DataFrame) -> None:
    frame = iris_dataframe.rename(columns={MEASURES[0]: "<b>x</b>"}).replace({"setosa": "<script>alert(1)</script>"})
    validate_frame(steps, frame, "species")
    page = steps.path("report.html").read_text()
    assert "<script" not in page
    assert "&lt;b&gt;x&lt;/b&gt;" in page


def test_idle_columns_are_only_warned_of(steps: Steps, iris_dataframe: pd.DataFrame) -> None:
    frame = iris_dataframe.assign(unit="cm", key=[f"k{number}" for number in range(150)])
    assert validate_frame(steps, frame, "species").startswith("11 checks passed, 1 warning")
    report = steps.path("report.json").read_text()
    assert "column 'unit' never changes" in report
    assert "every value of text column 'key' is unique" in report


def test_drift_is_measured_against_an_earlier_run(steps: Steps, iris_dataframe: pd.DataFrame, tmp_path: Path) -> None:
    validate_frame(steps, iris_dataframe, "species")
    reference = tmp_path / "reference.json"
    steps.path("profile.json").rename(reference)
    parameter = f"--reference-profile={reference}"
    assert steps.validate("species", parameter).startswith("12 checks passed")
    warmer = iris_dataframe.assign(**{MEASURES[0]: iris_dataframe[MEASURES[0]] + 1})
    with pytest.raises(DataRefusedError, match=r"column 'sepal length \(cm\)' has drifted: PSI .*, KS "):
        validate_frame(steps, warmer, "species", parameter)
    renamed = iris_dataframe.rename(columns={MEASURES[0]: "sepal_length"})
    with pytest.raises(DataRefusedError, match=r"column 'sepal length \(cm\)' is missing"):
        validate_frame(steps, renamed, "species", parameter)


def test_psi_and_ks_of_known_histograms() -> None:
    from drift import kolmogorov_smirnov, population_stability

    same, moved = np.array([500, 500]), np.array([900, 100])
    assert population_stability(same, same) == 0
    assert population_stability(same, moved) == pytest.approx(0.4 * np.log(9), rel=0.01)
    assert kolmogorov_smirnov(same, moved) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("parameter", "reason"),
    [
        ("--schema={", "schema: not JSON"),
        ("--schema=[]", "schema: expected a JSON object"),
        ('--schema={"a": {"mim": 1}}', "no rule 'mim', did you mean 'min'"),
        ('--schema={"a": {"type": "number"}}', "'number' is not one of numeric, text, boolean"),
        ('--schema={"a": {"min": "1"}}', 'min: "1" is not of the right type'),
        ("--max-null-fraction=2", "2 is not a fraction"),
        ("--min-rows=-1", "not a whole number"),
        ("--max-psi=nan", "not a finite number"),
        ("--task=guess", "invalid choice: 'guess'"),
    ],
)
def test_bad_validation_parameters_are_told(parameter: str, reason: str, steps: Steps) -> None:
    steps.load("iris")
    with pytest.raises(ParameterError, match=reason):
        steps.validate("species", parameter)


def test_a_reference_must_be_a_profile(steps: Steps, tmp_path: Path) -> None:
    steps.load("iris")
    with pytest.raises(ParameterError, match="is not a data profile of format 1"):
        steps.validate("species", f"--reference-profile={write(tmp_path / 'x.json', '{}')}")
    with pytest.raises(ParameterError, match="is not JSON"):
        steps.validate("species", f"--reference-profile={write(tmp_path / 'y.json', 'x')}")


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (["a", "b"], "classification"),
        ([True, False], "classification"),
        ([0, 1, 1], "classification"),
        ([0.5, 1.0], "regression"),
        (list(range(30)), "regression"),
    ],
)
def test_the_task_follows_from_the_target(values: list[object], task: str) -> None:
    import pyarrow as pa

    from columns import column_kinds, detect_task, to_frame

    table = pa.table({"y": values})
    assert detect_task(to_frame(table)["y"], column_kinds(table)["y"]) == task


# ---- feature-engineering --------------------------------------------------------------------------------------------


def test_the_transform_knows_nothing_of_the_holdout(steps: Steps) -> None:
    from features import HOLDOUT, TRAIN, read_features

    path = steps.path("input.csv")
    frame = mixed_frame()
    frame.to_csv(path, index=False)
    steps.load(path)
    assert steps.features("grade", "--seed=3") == "2 numeric, 1 text, 1 boolean, fitted on 96 rows"
    features = read_features(steps.path("features"))
    (training, _), (holdout, _) = features.part(TRAIN), features.part(HOLDOUT)
    assert (len(training), len(holdout)) == (96, 24)
    fitted = features.transform.named_transformers_["numeric"]
    assert fitted[0].statistics_[0] == pytest.approx(training["size"].median())
    assert fitted[1].mean_[0] == pytest.approx(training["size"].fillna(training["size"].median()).mean())
    assert not np.isnan(features.transform.transform(holdout)).any()


def test_the_split_keeps_class_shares_and_follows_the_seed(steps: Steps) -> None:
    steps.load("iris")
    held_out = []
    for seed in (1, 1, 2):
        steps.features("species", f"--seed={seed}", "--test-fraction=0.3")
        held_out.append(pd.read_parquet(steps.path("features") / "holdout.parquet"))
    assert held_out[0].species.value_counts().tolist() == [15, 15, 15]
    assert held_out[0].equals(held_out[1])
    assert not held_out[0].equals(held_out[2])


@pytest.mark.parametrize(
    ("parameters", "error", "reason"),
    [
        (("--test-fraction=0",), ParameterError, "does not split anything"),
        (("--test-fraction=0.99",), DataRefusedError, "cannot split 150 rows"),
        (("--seed=x",), ParameterError, "'x' is not a whole number"),
        (("--task=regression",), DataRefusedError, "is text, a regression needs numbers"),
    ],
)
def test_bad_splits_are_told(parameters: tuple[str, ...], error: type[Exception], reason: str, steps: Steps) -> None:
    steps.load("iris")
    with pytest.raises(error, match=reason):
        steps.features("species", *parameters)


# ---- train-model ----------------------------------------------------------------------------------------------------


def test_the_run_is_in_mlflow_with_pictures(trained_model_artifacts: TrainedModel) -> None:
    client = trained_model_artifacts.store.client()
    run = client.get_run(trained_model_artifacts.steps.path("run-id").read_text().strip())
    training = json.loads((trained_model_artifacts.steps.path("model") / "training.json").read_text())
    shown = f"{training['metrics']['cv_accuracy_mean']:.3f} ± {training['metrics']['cv_accuracy_std']:.2f}"
    assert trained_model_artifacts.summaries["train-model"] == f"random-forest, cv accuracy {shown}"
    assert run.info.status == "FINISHED"
    assert run.data.metrics["cv_accuracy_mean"] == pytest.approx(training["metrics"]["cv_accuracy_mean"])
    assert 0.9 < run.data.metrics["cv_accuracy_mean"] <= 1
    names = {item.path: item.file_size for item in client.list_artifacts(run.info.run_id)}
    assert {"confusion-matrix.png", "feature-importance.png", "training.json", "report.html"} - set(names) == {
        "report.html"
    }
    picture = (trained_model_artifacts.steps.path("model") / "pictures" / "confusion-matrix.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert sum(training["importances"].values()) == pytest.approx(1)


def test_the_same_seed_gives_the_same_model(
    trained_model_artifacts: TrainedModel, mlflow_store: MlflowStore, tmp_path: Path
) -> None:
    first, again = trained_model_artifacts.steps, trained_model_artifacts.steps.copy(tmp_path / "again")
    again.features("species")
    again.train()
    for name in (
        "model/training.json",
        "model/pictures/confusion-matrix.png",
        "features/transform.joblib",
        "features/train.parquet",
    ):
        assert again.path(name).read_bytes() == first.path(name).read_bytes(), name
    import joblib

    from features import HOLDOUT, read_features

    rows, _ = read_features(first.path("features")).part(HOLDOUT)
    shares = [joblib.load(steps.path("model/pipeline.joblib")).predict_proba(rows) for steps in (first, again)]
    assert np.array_equal(*shares)


@pytest.mark.parametrize("model_type", ["gradient-boosting", "logistic-regression"])
def test_other_classifiers_learn_mixed_columns(model_type: str, steps: Steps, mlflow_store: MlflowStore) -> None:
    path = steps.path("input.csv")
    mixed_frame().to_csv(path, index=False)
    steps.load(path)
    steps.features("grade")
    few = '--hyperparameters={"n_estimators": 20}' if model_type == "gradient-boosting" else "--cv-folds=3"
    summary = steps.train(f"--model-type={model_type}", few)
    training = json.loads(steps.path("model/training.json").read_text())
    assert summary.startswith(model_type)
    assert training["library"] in ("lightgbm", "xgboost", "scikit-learn")
    assert (model_type != "gradient-boosting") or training["library"] in summary
    assert training["metrics"]["cv_accuracy_mean"] > 0.75
    assert set(training["importances"]) == {"size", "colour", "ripe", "count"}


@pytest.mark.parametrize("model_type", ["random-forest", "gradient-boosting", "linear-regression"])
def test_regression_twins(model_type: str, steps: Steps, mlflow_store: MlflowStore) -> None:
    path = steps.path("input.csv")
    regression_frame().to_csv(path, index=False)
    steps.load(path)
    steps.validate("price")
    steps.features("price")
    assert "cv R² 0." in steps.train(f"--model-type={model_type}", "--experiment=price")
    assert ", holdout R² 0." in steps.register("--model-name=price", "--min-accuracy=0.5")
    assert steps.path("model/pictures/predictions.png").exists()
    import mlflow.pyfunc

    predicted = mlflow.pyfunc.load_model("models:/price@champion").predict(
        regression_frame()[["x1", "x2", "k"]].head(4)
    )
    assert list(predicted.columns) == ["prediction"]
    assert predicted["prediction"].dtype == "float64"


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        (('--hyperparameters={"n_estimator": 5}',), "has no parameter 'n_estimator', did you mean 'n_estimators'"),
        (('--hyperparameters={"n_estimators": -5}',), "RandomForestClassifier refuses them: .*n_estimators"),
        (("--hyperparameters=5",), "expected a JSON object"),
        (("--hyperparameters={'a': 1}",), "not JSON: .* at character 2"),
        (("--model-type=random-forrest",), "no model-type 'random-forrest', did you mean 'random-forest'"),
        (("--model-type=linear-regression",), "linear-regression does not do classification; try logistic-regression"),
        (("--cv-folds=1",), "cv-folds is 1; expected 2 or more"),
    ],
)
def test_bad_training_parameters_are_told(
    parameters: tuple[str, ...], reason: str, trained_model_artifacts: TrainedModel, tmp_path: Path
) -> None:
    steps = Steps(tmp_path)
    (tmp_path / "features").symlink_to(trained_model_artifacts.steps.path("features"))
    with pytest.raises(ParameterError, match=reason):
        steps.train(*parameters)


def test_a_search_stays_in_its_budget_and_keeps_the_best(
    trained_model_artifacts: TrainedModel, mlflow_store: MlflowStore, tmp_path: Path
) -> None:
    steps = trained_model_artifacts.steps.copy(tmp_path / "search")
    steps.train("--model-type=logistic-regression", "--search-iterations=4", "--search-seconds=60")
    training = json.loads(steps.path("model/training.json").read_text())
    assert len(training["search"]) == 5
    assert training["metrics"]["cv_accuracy_mean"] == max(trial["accuracy"] for trial in training["search"])
    steps.train("--model-type=logistic-regression", "--search-iterations=4", "--search-seconds=0")
    assert len(json.loads(steps.path("model/training.json").read_text())["search"]) == 1


def test_training_needs_to_know_where_mlflow_is(
    trained_model_artifacts: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = trained_model_artifacts.steps.copy(tmp_path / "x")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    with pytest.raises(ParameterError, match="MLFLOW_TRACKING_URI is not set"):
        steps.train("--model-type=logistic-regression")


# ---- register-model -------------------------------------------------------------------------------------------------


def test_the_registered_model_predicts_from_raw_columns(
    trained_model_artifacts: TrainedModel, sample_features: pd.DataFrame, sample_batch_features: pd.DataFrame
) -> None:
    import mlflow.pyfunc

    model = mlflow.pyfunc.load_model("models:/iris@champion")
    predicted = model.predict(sample_batch_features)
    assert predicted["prediction"].tolist() == ["setosa", "versicolor", "virginica"]
    assert predicted["probability"].between(0.5, 1).all()
    one = model.predict(sample_features, params={"probabilities": True})
    assert one[[f"probability_{name}" for name in ("setosa", "versicolor", "virginica")]].sum(axis=1).tolist() == [1.0]
    assert model.predict(sample_features.astype({MEASURES[0]: "float64"}).assign(extra=1))["prediction"].tolist() == [
        "setosa"
    ]
    whole = pd.DataFrame([[5, 3, 1, 0]], columns=MEASURES).astype("float64")
    assert model.predict(whole)["prediction"].tolist() == ["setosa"]
    gap = sample_features.assign(**{MEASURES[1]: np.nan})
    assert model.predict(gap)["prediction"].tolist() == ["setosa"]


def test_the_model_describes_itself(trained_model_artifacts: TrainedModel) -> None:
    from mlflow.models import get_model_info

    info = get_model_info(trained_model_artifacts.uri)
    assert info.signature.inputs.input_names() == MEASURES
    assert {str(column.type) for column in info.signature.inputs} == {"DataType.double"}
    assert info.signature.outputs.input_names() == ["prediction", "probability"]
    assert info.saved_input_example_info is not None
    import mlflow.artifacts

    folder = Path(mlflow.artifacts.download_artifacts(trained_model_artifacts.uri))
    pins = (folder / "requirements.txt").read_text().split()
    assert all("==" in pin for pin in pins)
    assert {"mlflow", "scikit-learn", "pandas"} <= {pin.partition("==")[0] for pin in pins}


def test_the_model_needs_nothing_of_ours(trained_model_artifacts: TrainedModel, tmp_path: Path) -> None:
    import mlflow.artifacts

    folder = mlflow.artifacts.download_artifacts(trained_model_artifacts.uri, dst_path=str(tmp_path))
    code = (
        "import sys, mlflow.pyfunc, pandas as pd; m = mlflow.pyfunc.load_model(sys.argv[1]);"
        "print(m.predict(m.input_example)['prediction'].tolist())"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, folder], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert ended.returncode == 0, ended.stderr
    assert "setosa" in ended.stdout or "versicolor" in ended.stdout or "virginica" in ended.stdout


def test_provenance_is_complete(trained_model_artifacts: TrainedModel) -> None:
    version = trained_model_artifacts.store.client().get_model_version("iris", "1")
    metadata = json.loads(trained_model_artifacts.steps.path("data.json").read_text())
    tags = version.tags
    assert tags["mlops.git_commit"] == "abc123"
    assert tags["mlops.data_sha256"] == metadata["sha256"]
    assert (tags["mlops.seed"], tags["mlops.workflow_run"], tags["mlops.step_code"]) == ("1", "iris-run-1", "unknown")
    assert len(tags["mlops.environment_lock"]) == 64
    run = trained_model_artifacts.store.client().get_run(version.run_id)
    assert tags.items() <= run.data.tags.items()


def test_uncommitted_changes_are_part_of_the_commit(tmp_path: Path) -> None:
    from provenance import UNKNOWN, git_commit

    assert git_commit(tmp_path / "nowhere") == UNKNOWN
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q"], check=True)
    write(tmp_path / "f", "1")
    subprocess.run([*git, "add", "f"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "x"], check=True)
    clean = git_commit(tmp_path)
    write(tmp_path / "f", "2")
    dirty = git_commit(tmp_path)
    assert len(clean) == 40
    assert dirty.startswith(f"{clean}+")
    assert len(dirty) == 53


def test_the_gate_refuses_and_registers_nothing(
    trained_model_artifacts: TrainedModel, mlflow_store: MlflowStore, tmp_path: Path
) -> None:
    steps = trained_model_artifacts.steps.copy(tmp_path / "gate")
    steps.train("--model-type=logistic-regression")
    with pytest.raises(
        GateMissedError, match=r"holdout accuracy 0\.\d+ is below min-accuracy 1\.001: nothing was registered"
    ):
        steps.register("--min-accuracy=1.001")
    client = mlflow_store.client()
    assert client.search_registered_models() == []
    assert "holdout_accuracy" in client.get_run(steps.path("run-id").read_text().strip()).data.metrics


def test_champion_challenger_and_previous(
    trained_model_artifacts: TrainedModel, mlflow_store: MlflowStore, tmp_path: Path
) -> None:
    steps = trained_model_artifacts.steps.copy(tmp_path / "champion")
    client = mlflow_store.client()
    poor = '--hyperparameters={"max_depth": 1, "n_estimators": 1}'
    steps.train(poor)
    assert steps.register("--workflow=a", "--min-accuracy=0.3").endswith("gate 0.30: champion")
    steps.train('--hyperparameters={"n_estimators": 30}')
    better = steps.register("--workflow=b")
    assert better.startswith("iris v2, holdout accuracy 0.967, gate 0.90: champion (champion v1 had 0.")
    assert client.get_model_version_by_alias("iris", "previous").version == 1
    steps.train('--hyperparameters={"n_estimators": 30}')
    assert steps.register("--workflow=c").endswith("challenger (champion v2 has 0.967)")
    assert client.get_model_version_by_alias("iris", "champion").version == 2
    assert client.get_model_version_by_alias("iris", "challenger").version == 3


def test_a_second_attempt_of_the_same_run_registers_once(
    trained_model_artifacts: TrainedModel, mlflow_store: MlflowStore, tmp_path: Path
) -> None:
    steps = trained_model_artifacts.steps.copy(tmp_path / "again")
    steps.train("--model-type=logistic-regression")
    first = steps.register("--workflow=same")
    assert first.startswith("iris v1")
    assert first.endswith("champion")
    assert steps.register("--workflow=same") == first
    assert len(mlflow_store.client().search_model_versions("name = 'iris'")) == 1


def test_a_reused_training_keeps_the_record_of_its_first_run(
    trained_model_artifacts: TrainedModel, mlflow_store: MlflowStore, tmp_path: Path
) -> None:
    steps, client = trained_model_artifacts.steps.copy(tmp_path / "reused"), mlflow_store.client()
    steps.train("--model-type=logistic-regression")
    steps.register("--workflow=first")
    steps.register("--workflow=second")
    runs = {client.get_model_version("iris", version).run_id for version in "12"}
    owners = [client.get_run(run).data.tags["mlops.workflow_run"] for run in runs]
    assert sorted(owners) == ["first", "second"]


def test_a_training_whose_run_was_deleted_is_recorded_again(
    trained_model_artifacts: TrainedModel, mlflow_store: MlflowStore, tmp_path: Path
) -> None:
    steps = trained_model_artifacts.steps.copy(tmp_path / "gone")  # its run is in another store
    assert steps.register("--workflow=x").startswith("iris v1")
    version = mlflow_store.client().get_model_version("iris", "1")
    assert version.run_id != steps.path("run-id").read_text().strip()
    assert "cv_accuracy_mean" in mlflow_store.client().get_run(version.run_id).data.metrics


def test_a_champion_that_cannot_predict_these_rows_stays_until_somebody_decides(
    trained_model_artifacts: TrainedModel, mlflow_store: MlflowStore, tmp_path: Path, iris_dataframe: pd.DataFrame
) -> None:
    steps = trained_model_artifacts.steps.copy(tmp_path / "other")
    steps.register("--workflow=a")
    path = write(tmp_path / "narrow.csv", iris_dataframe[[MEASURES[2], MEASURES[3], "species"]].to_csv(index=False))
    steps.load(path)
    steps.features("species")
    steps.train("--model-type=logistic-regression")
    assert "challenger (champion v1 cannot predict these rows: " in steps.register("--workflow=b")


def test_mixed_columns_with_gaps_are_served_alike(steps: Steps, mlflow_store: MlflowStore) -> None:
    import mlflow.pyfunc

    path = steps.path("input.csv")
    mixed_frame().to_csv(path, index=False)
    steps.load(path)
    steps.validate("grade")
    steps.features("grade")
    steps.train('--hyperparameters={"n_estimators": 30}', "--experiment=fruit")
    steps.register("--model-name=fruit", "--min-accuracy=0.6")
    model = mlflow.pyfunc.load_model("models:/fruit@champion")
    types = {column.name: str(column.type) for column in model.metadata.get_input_schema()}
    assert types == {
        "size": "DataType.double",
        "colour": "DataType.string",
        "ripe": "DataType.boolean",
        "count": "DataType.double",
    }
    rows = mixed_frame().drop(columns="grade").astype({"count": "float64"}).iloc[3:9]
    assert len(model.predict(rows)) == 6
    odd = pd.DataFrame(
        {"size": [9.0, None], "colour": ["ultraviolet", None], "ripe": [True, None], "count": [3.0, 4.0]}
    )
    assert model.predict(odd)["prediction"].isin(["good", "poor"]).all()


@pytest.mark.parametrize("labels", [[0, 1], [True, False]])
def test_classes_keep_their_type(labels: list[object], steps: Steps, mlflow_store: MlflowStore) -> None:
    import mlflow.pyfunc

    frame = mixed_frame()
    frame["grade"] = frame["grade"].map({"good": labels[0], "poor": labels[1]})
    frame[["size", "count", "grade"]].to_csv(steps.path("input.csv"), index=False)
    steps.load(steps.path("input.csv"))
    steps.features("grade")
    steps.train("--model-type=logistic-regression", "--experiment=typed")
    steps.register("--model-name=typed", "--min-accuracy=0.3")
    rows = frame[["size", "count"]].head(20).astype("float64")
    predicted = mlflow.pyfunc.load_model("models:/typed@champion").predict(rows)["prediction"]
    assert set(predicted.tolist()) <= set(labels)
    assert {type(value) for value in predicted.tolist()} == {type(labels[0])}


def test_a_model_name_is_checked(trained_model_artifacts: TrainedModel) -> None:
    with pytest.raises(ParameterError, match="model-name 'a/b'"):
        trained_model_artifacts.steps.register("--model-name=a/b")


def test_an_unreachable_mlflow_is_worth_a_retry(
    trained_model_artifacts: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = trained_model_artifacts.steps.copy(tmp_path / "down")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:s3cr3t@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(UnreachableError, match=r"MLflow at http://127\.0\.0\.1:9") as failed:
        steps.train("--model-type=logistic-regression")
    assert "s3cr3t" not in str(failed.value)


def test_a_locked_database_is_worth_a_retry(
    trained_model_artifacts: TrainedModel, mlflow_store: MlflowStore, tmp_path: Path
) -> None:
    steps = trained_model_artifacts.steps.copy(tmp_path / "locked")
    with contextlib.closing(sqlite3.connect(mlflow_store.folder / "mlflow.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(UnreachableError, match=r"MLflow at sqlite:.*database is locked"):
            steps.register("--workflow=x")
    assert steps.register("--workflow=x").startswith("iris v1")


# ---- record-outcome -------------------------------------------------------------------------------------------------


def test_a_failure_before_training_is_recorded(tmp_path: Path) -> None:
    import record_outcome

    failures = json.dumps([{"templateName": "validate-data", "message": 'exit code 3: "x"', "phase": "Failed"}])
    for text in (failures, json.dumps(failures)):  # Argo quotes the list once more
        record_outcome.main(
            [
                "--workflow=w",
                "--status=Failed",
                f"--failures={text}",
                "--data-source=https://u:p@h/x?k=v",
                f"--output={tmp_path / 'outcome.json'}",
                f"--summary={tmp_path / 'summary'}",
            ]
        )
        outcome = json.loads((tmp_path / "outcome.json").read_text())
        assert outcome["failures"] == [{"step": "validate-data", "reason": 'exit code 3: "x"'}]
        assert outcome["data_source"] == "https://h/x"
        assert (tmp_path / "summary").read_text() == 'Failed in validate-data, recorded: exit code 3: "x"\n'


def test_success_is_recorded_on_the_mlflow_run(
    trained_model_artifacts: TrainedModel, mlflow_store: MlflowStore, tmp_path: Path
) -> None:
    import record_outcome

    steps = trained_model_artifacts.steps.copy(tmp_path / "outcome")
    steps.register("--workflow=w-1")
    for failures in ("null", "[]", ""):
        arguments = ["--workflow=w-1", "--status=Succeeded", f"--failures={failures}", "--model-name=iris"]
        record_outcome.main([*arguments, f"--output={tmp_path / 'outcome.json'}"])
    run = mlflow_store.client().get_run(mlflow_store.client().get_model_version("iris", "1").run_id)
    assert run.data.tags["mlops.outcome"] == "Succeeded"


# ---- the workflow file ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def manifest() -> dict:
    return yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))


def test_the_defaults_that_are_hashes_are_fresh() -> None:
    text = MANIFEST.read_text(encoding="utf-8")
    assert refresh_defaults(text, step_code_name(SOURCE)) == text, (
        "run `python -m platform_cli.workflow.step_code --write`"
    )


def test_the_step_code_has_a_name_of_its_content(tmp_path: Path) -> None:
    write(tmp_path / "a.py", "1")
    first = step_code_name(tmp_path)
    write(tmp_path / "notes.txt", "no code")
    assert step_code_name(tmp_path) == first
    write(tmp_path / "a.py", "2")
    assert step_code_name(tmp_path) != first
    assert list(step_code_files(tmp_path)) == ["a.py"]
    write(tmp_path / "b.py", b"#" * 500_001)
    with pytest.raises(UsageError, match="500002 bytes of step code"):
        step_code_files(tmp_path)


def closed(schema: object) -> object:
    """The CRD's schema with unknown fields refused, as the API server's strict validation does."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: closed(value) for key, value in schema.items()}
    if schema.get("x-kubernetes-int-or-string"):
        schema.pop("type", None)
    if "properties" in schema and not {"additionalProperties", "x-kubernetes-preserve-unknown-fields"} & set(schema):
        schema["additionalProperties"] = False
    return schema


def test_the_file_is_valid_for_argo(manifest: dict) -> None:
    path = ARGO_CRDS / "argoproj.io_workflowtemplates.yaml"
    if not path.exists():
        pytest.skip("Argo's CRDs are not on this machine")
    import jsonschema

    crd = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    schema = closed(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
    schema["properties"]["metadata"] = {"type": "object"}
    assert list(jsonschema.Draft202012Validator(schema).iter_errors(manifest)) == []
    wrong = json.loads(json.dumps(manifest))
    wrong["spec"]["templates"][0]["dagg"] = {}
    assert len(list(jsonschema.Draft202012Validator(schema).iter_errors(wrong))) == 1


def test_every_parameter_is_used_and_every_script_takes_its_arguments(manifest: dict) -> None:
    import importlib

    text = MANIFEST.read_text(encoding="utf-8")
    for parameter in manifest["spec"]["arguments"]["parameters"]:
        assert f"{{{{workflow.parameters.{parameter['name']}}}}}" in text
    for template in manifest["spec"]["templates"]:
        if "container" not in template:
            continue
        script = Path(template["container"]["command"][1])
        known = importlib.import_module(script.stem)._parser()._option_string_actions
        given = {argument.partition("=")[0] for argument in template["container"]["args"]}
        assert given <= set(known), template["name"]
        assert {name for name, action in known.items() if action.required} <= given, template["name"]


def test_defaults_of_the_file_and_of_the_scripts_agree(manifest: dict) -> None:
    import importlib

    defaults = {item["name"]: item["value"] for item in manifest["spec"]["arguments"]["parameters"]}
    same_elsewhere = {"git-commit", "step-code", "workflow-hash", "model-name", "data-source"}
    for stem in ("load_data", "validate_data", "feature_engineering", "train_model", "register_model"):
        for option, action in importlib.import_module(stem)._parser()._option_string_actions.items():
            name = option.removeprefix("--")
            if name in defaults and name not in same_elsewhere and action.default is not None:
                convert = action.type or str
                assert convert(defaults[name]) == action.default, f"{stem} {name}"


def test_no_step_has_privileges_or_writes_outside_its_volumes(manifest: dict) -> None:
    pod = manifest["spec"]["securityContext"]
    assert (pod["runAsNonRoot"], pod["seccompProfile"]) == (True, {"type": "RuntimeDefault"})
    for template in manifest["spec"]["templates"]:
        if "container" not in template:
            continue
        security = template["container"]["securityContext"]
        assert (security["allowPrivilegeEscalation"], security["readOnlyRootFilesystem"]) == (False, True)
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert template["container"]["resources"]["limits"]["memory"]
        written = [item["path"] for item in template["outputs"]["artifacts"]]
        assert all(path.startswith("/mnt/out/") for path in written)
        assert template["activeDeadlineSeconds"] > 0


def test_tags_are_arguments_and_never_shell(manifest: dict) -> None:
    for template in manifest["spec"]["templates"]:
        assert "script" not in template
        assert template.get("container", {}).get("command", ["python"])[0] == "python"


def test_the_image_is_pinned_and_not_root() -> None:
    pins = [line for line in (TRAINING / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(line.count("==") == 1 for line in pins)
    assert "mlflow==3.17.2" in pins
    docker = (TRAINING / "Dockerfile").read_text()
    assert "USER 10001" in docker
