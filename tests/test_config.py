"""The configuration: what is refused and how, which source wins, and where each value came from."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from platform_cli.config import Config, list_leaves
from platform_cli.config_load import Settings, find_file, load_settings
from platform_cli.config_source import read_source
from platform_cli.config_write import SCHEMA_NAME, config_text, schema_text, write_config
from platform_cli.errors import ConfigError, RefusedError
from platform_cli.layout import STATE_FOLDER
from platform_cli.target import CloudName, Env, Target


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "platform.yaml"


def load(file: Path | None, *, environ: dict[str, str] | None = None, **flags: str) -> Settings:
    return load_settings(file=file, environ=environ or {}, flags=flags)


def problems(file: Path | None, **environ: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        load(file, environ=environ)
    return caught.value.details


REFUSED = {
    "unknown key": (
        "version: 1\nembedded:\n  serving_prt: 1\n",
        "3: embedded.serving_prt: unknown key, did you mean serving_port?",
    ),
    "unknown section": ("version: 1\nembeded: {}\n", "2: embeded: unknown key, did you mean embedded?"),
    "nothing near": ("version: 1\nzzz: 1\n", "2: zzz: unknown key, known are version, name, cloud"),
    "a secret": (
        "version: 1\naws:\n  secret_token: x\n",
        "3: aws.secret_token: unknown key: secrets never stand in this file",
    ),
    "text for a number": (
        'version: 1\nembedded: {serving_port: "80"}\n',
        "2: embedded.serving_port: must be a valid integer",
    ),
    "truth for a number": (
        "version: 1\nembedded: {workers: yes}\n",
        "2: embedded.workers: must be a valid integer, found true",
    ),
    "number for text": ("version: 1\nname: 12\n", "2: name: must be a valid string, found 12"),
    "out of range": (
        "version: 1\nembedded: {mlflow_port: 70000}\n",
        "2: embedded.mlflow_port: must be less than or equal to 65535",
    ),
    "unknown choice": ("version: 1\ncloud: embeded\n", "2: cloud: \"embeded\" is not 'embedded', 'local'"),
    "no section": ("version: 1\naws: 3\n", "2: aws: expected a section of keys, found 3"),
    "a list": ("version: 1\nname: [a]\n", '2: name: must be a valid string, found ["a"]'),
    "no version": ("name: x\n", ": version: is required"),
    "another version": ("version: 2\n", "1: version: 2 is not 1"),
    "duplicate key": ("version: 1\nname: a\nname: b\n", "3: name: the key is there twice, first on line 2"),
    "duplicate inner key": (
        "version: 1\naws:\n  region: a\n  region: b\n",
        "4: aws.region: the key is there twice, first on line 3",
    ),
    "key that is no word": ("version: 1\n? [a, b]\n: 1\n", "2: a key must be a single word"),
    "date that is none": ("version: 1\nname: 2026-99-99\n", "2: name: month must be in 1..12"),
}


@pytest.mark.parametrize("mistake", REFUSED)
def test_a_mistake_is_told_with_file_line_and_key(file: Path, mistake: str) -> None:
    text, expected = REFUSED[mistake]
    file.write_text(text)
    assert any(line.startswith("platform.yaml") and expected in line for line in problems(file)), problems(file)


def test_all_mistakes_are_told_at_once(file: Path) -> None:
    file.write_text("version: 1\nnme: x\nembedded:\n  serving_port: abc\n  serving_port: 4\n  hst: 1\n")
    found = problems(file, MLOPS_EMBEDDED_WORKERS="many", MLOPS_EMBEDED_HOST="x")
    assert len(found) == 6
    assert any(line.startswith("MLOPS_EMBEDDED_WORKERS: embedded.workers:") for line in found)
    assert "MLOPS_EMBEDED_HOST: unknown variable, did you mean MLOPS_EMBEDDED_HOST?" in found


UNREADABLE = {
    "empty": (b"", "the file is empty"),
    "only a comment": (b"# nothing\n", "the file is empty"),
    "a list": (b"- a\n", "must be a mapping"),
    "text": (b"hello\n", "must be a mapping"),
    "not UTF-8": (b"version: 1\nname: \xff\xfe\n", "platform.yaml:2: the file is not UTF-8"),
    "UTF-16": ("version: 1".encode("utf-16"), "the file is not UTF-8"),
    "broken": (b"version: [1\n", "platform.yaml:2: this is not YAML"),
    "a control character": (b"version: 1\nname: \x01\n", "this is not YAML"),
    "two documents": (b"version: 1\n---\nversion: 1\n", "this is not YAML"),
    "huge": (b"#" * 1_000_001, "the file is larger than"),
    "an alias": (b"a: &a [1]\nb: *a\n", "platform.yaml:2: aliases are not accepted"),
    "an alias bomb": (b"a: &a [1]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\n", "aliases are not accepted"),
    "an alias of itself": (b"a: &a [*a]\n", "aliases are not accepted"),
    "deep nesting": (b"a: " + b"[" * 5000, "levels of nesting"),
    "a Python object": (b"version: !!python/object/apply:os.getcwd []\n", "tags such as"),
}


@pytest.mark.parametrize("mistake", UNREADABLE)
def test_a_file_that_cannot_be_read_says_why(file: Path, mistake: str) -> None:
    content, expected = UNREADABLE[mistake]
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=expected):
        load(file)


def test_a_missing_file_a_folder_and_a_forbidden_file_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        load(tmp_path / "absent.yaml")
    with pytest.raises(ConfigError, match="this is not a file"):
        load(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="this is not a file"):
        load(tmp_path / "pipe")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_an_unreadable_file_is_told(file: Path) -> None:
    file.write_text("version: 1\n")
    file.chmod(0)
    with pytest.raises(ConfigError, match="cannot be read: Permission denied"):
        load(file)


def test_flags_win_over_variables_over_the_file_over_defaults(file: Path) -> None:
    file.write_text("version: 1\nname: from-file\ncloud: aws\nenv: staging\nembedded:\n  mlflow_port: 5001\n")
    environ = {"MLOPS_CLOUD": "gcp", "MLOPS_ENV": "prod", "MLOPS_EMBEDDED_SERVING_PORT": "8600"}
    loaded = load(file, environ=environ, cloud="embedded")
    assert loaded.config.target == Target(CloudName.EMBEDDED, Env.PROD)
    assert loaded.config.embedded.serving_port == 8600
    origins = {key: origin for key, _, origin in loaded.list_values()}
    assert origins["cloud"] == "--cloud"
    assert origins["env"] == "MLOPS_ENV"
    assert origins["name"] == "platform.yaml:2"
    assert origins["embedded.serving_port"] == "MLOPS_EMBEDDED_SERVING_PORT"
    assert origins["embedded.mlflow_port"] == "platform.yaml:6"
    assert origins["embedded.host"] == "default"


def test_without_a_file_the_defaults_hold() -> None:
    assert load(None).config == Config(version=1)


def test_a_section_without_keys_means_its_defaults(file: Path) -> None:
    file.write_text("version: 1\nembedded:\n  # all commented out\n")
    assert load(file).config.embedded.mlflow_port == 5000


def test_variables_of_others_are_left_alone() -> None:
    assert load(None, environ={"MLOPS_PICTURE": "1", "PATH": "/bin"}).config == Config(version=1)


def test_a_variable_with_digits_for_a_text_is_text() -> None:
    assert load(None, environ={"MLOPS_AZURE_SUBSCRIPTION": "123"}).config.azure.subscription == "123"


def test_every_key_has_a_variable_of_its_own_and_says_what_it_means() -> None:
    leaves = list(list_leaves())
    assert len({leaf.variable for leaf in leaves}) == len(leaves)
    assert all(leaf.description.endswith(".") for leaf in leaves)


def test_the_nearest_file_is_found_but_not_beyond_the_repository(tmp_path: Path) -> None:
    (tmp_path / "platform.yaml").write_text("version: 1\n")
    inner = tmp_path / "repository" / "deep" / "deeper"
    inner.mkdir(parents=True)
    assert find_file(inner) == tmp_path / "platform.yaml"
    (tmp_path / "repository" / ".git").mkdir()
    assert find_file(inner) is None


@pytest.mark.parametrize("cloud", CloudName)
def test_what_init_writes_is_valid_and_says_so_to_editors(file: Path, cloud: CloudName) -> None:
    write_config(file, name="iris", target=Target(cloud, Env.PROD))
    loaded = load(file)
    assert (loaded.config.name, loaded.config.target) == ("iris", Target(cloud, Env.PROD))
    first = file.read_text().splitlines()[0]
    assert first == f"# yaml-language-server: $schema={STATE_FOLDER}/{SCHEMA_NAME}"
    assert json.loads((file.parent / STATE_FOLDER / SCHEMA_NAME).read_text()) == json.loads(schema_text())


def test_init_never_overwrites(file: Path) -> None:
    file.write_text("mine")
    with pytest.raises(RefusedError, match="is there already"):
        write_config(file, name="iris", target=Target(CloudName.EMBEDDED, Env.DEV))
    assert file.read_text() == "mine"


def test_the_schema_accepts_what_init_writes_and_refuses_an_unknown_key() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(json.loads(schema_text()))
    data = yaml.safe_load(config_text(name="iris", target=Target(CloudName.EMBEDDED, Env.DEV)))
    assert not list(validator.iter_errors(data))
    assert list(validator.iter_errors({**data, "nme": 1}))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(list(Config.model_fields)) | st.text(max_size=8)


@settings(max_examples=150, deadline=None)
@given(data=st.dictionaries(KEYS, VALUES | st.dictionaries(KEYS, VALUES, max_size=3), max_size=5))
def test_any_yaml_is_accepted_or_refused_with_a_place(tmp_path_factory: pytest.TempPathFactory, data: object) -> None:
    file = tmp_path_factory.mktemp("any") / "platform.yaml"
    file.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    try:
        load(file)
    except ConfigError as error:
        assert "platform.yaml" in error.message
        assert all(line.startswith("platform.yaml") for line in error.details)


@settings(max_examples=150, deadline=None)
@given(content=st.binary(max_size=60) | st.text(alphabet=":-[]{}&*!?|>'\"% \n\tab1", max_size=60).map(str.encode))
def test_any_bytes_end_in_data_or_in_our_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.mktemp("bytes") / "platform.yaml"
    file.write_bytes(content)
    try:
        read_source(file)
    except ConfigError as error:
        assert "platform.yaml" in error.message
