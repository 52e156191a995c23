"""Reading kubeconfigs as kubectl does, and refusing the broken ones in words."""

from __future__ import annotations

import base64
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from platform_cli.cluster.access import read_access
from platform_cli.errors import MlopsError, PreflightError


def kubeconfig(path: Path, *, current: str = "work", **cluster: Any) -> Path:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "prod", "cluster": {"server": "https://api.example.com:6443/", **cluster}}],
        "users": [{"name": "me", "user": {"token": "not-a-real-token"}}],
        "contexts": [
            {"name": "work", "context": {"cluster": "prod", "user": "me", "namespace": "team"}},
            {"name": "anonymous", "context": {"cluster": "prod"}},
            {"name": "broken", "context": {"cluster": "prod", "user": "nobody"}},
        ],
        "current-context": current,
    }
    path.write_text(yaml.safe_dump(document))
    return path


def test_one_context_is_taken_out_with_its_cluster_and_user(tmp_path: Path) -> None:
    access = read_access(str(kubeconfig(tmp_path / "k")), None, {})
    assert (access.context, access.server, access.namespace) == ("work", "https://api.example.com:6443", "team")
    assert access.user == {"token": "not-a-real-token"}
    assert len(access.kubeconfig["contexts"]) == 1


def test_a_context_without_user_is_anonymous(tmp_path: Path) -> None:
    access = read_access(str(kubeconfig(tmp_path / "k")), "anonymous", {})
    assert (access.user, access.namespace) == ({}, "default")


def test_files_that_it_refers_to_come_inside(tmp_path: Path) -> None:
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki" / "ca.crt").write_text("CA")
    (tmp_path / "token").write_text("from-a-file\n")
    path = kubeconfig(tmp_path / "k", **{"certificate-authority": "pki/ca.crt"})
    document = yaml.safe_load(path.read_text())
    document["users"][0]["user"] = {"tokenFile": "token", "token": "older"}
    path.write_text(yaml.safe_dump(document))
    access = read_access(str(path), None, {})
    assert base64.b64decode(access.cluster["certificate-authority-data"]) == b"CA"
    assert access.user == {"token": "from-a-file"}
    assert "certificate-authority" not in access.cluster


def test_several_files_merge_as_kubectl_does_it(tmp_path: Path) -> None:
    first = kubeconfig(tmp_path / "a", current="")
    second = kubeconfig(tmp_path / "b", current="anonymous")
    document = yaml.safe_load(second.read_text())
    document["clusters"][0]["cluster"]["server"] = "https://second.example.com"
    second.write_text(yaml.safe_dump(document))
    access = read_access(None, None, {"KUBECONFIG": os.pathsep.join([str(first), str(tmp_path / "no"), str(second)])})
    assert (access.context, access.server) == ("anonymous", "https://api.example.com:6443")


def test_the_default_is_in_the_home_folder(tmp_path: Path) -> None:
    (tmp_path / ".kube").mkdir()
    kubeconfig(tmp_path / ".kube" / "config")
    assert read_access(None, None, {"HOME": str(tmp_path)}).context == "work"


def test_what_is_written_is_for_the_owner_alone_and_reads_back(tmp_path: Path) -> None:
    access = read_access(str(kubeconfig(tmp_path / "k")), None, {})
    written = access.write(tmp_path / "deep" / "out.yaml")
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert read_access(str(written), None, {}) == access
    assert [each.name for each in written.parent.iterdir()] == ["out.yaml"]


@pytest.mark.parametrize(
    ("context", "message", "hint"),
    [
        ("wrok", "there is no context wrok", "did you mean work?"),
        ("x", "there is no context x", "there are: anonymous, broken, work"),
        ("broken", "there is no user nobody", "me"),
    ],
)
def test_a_name_that_is_not_there_is_told(tmp_path: Path, context: str, message: str, hint: str) -> None:
    with pytest.raises(PreflightError, match=message) as caught:
        read_access(str(kubeconfig(tmp_path / "k")), context, {})
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "cannot be read"),
        ("- 1", "is no kubeconfig"),
        ("clusters: 3", "`clusters` is not a list"),
        ("{}", "no current context"),
        ("users: [{user: {}}]", "`users` is not a list"),
    ],
)
def test_a_broken_file_is_told(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "k"
    path.write_text(text)
    with pytest.raises(PreflightError, match=message) as caught:
        read_access(str(path), None, {})
    assert str(path) in caught.value.message


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match="there is no kubeconfig"):
        read_access(str(tmp_path / "no"), None, {})
    with pytest.raises(PreflightError, match="there is no kubeconfig"):
        read_access(None, None, {"HOME": str(tmp_path)})
    path = kubeconfig(tmp_path / "k", **{"certificate-authority": "gone.crt"})
    with pytest.raises(PreflightError, match=r"certificate-authority .*gone.crt: No such file"):
        read_access(str(path), None, {})


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    access = read_access(str(kubeconfig(tmp_path / "k")), None, {})
    with pytest.raises(MlopsError, match="cannot write"):
        access.write(tmp_path / "k" / "below-a-file")


def test_asking_a_cluster_imports_no_official_client() -> None:
    code = "import sys, platform_cli.tools.kubernetes as k; k.Transport; print('kubernetes' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
