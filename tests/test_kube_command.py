"""`mlops kube token` and `mlops kube config`, as people and kubectl run them."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from cloud_authenticators import (
    Authenticator,
    AwsAuthenticator,
    EntraAuthenticator,
    EntraStandIn,
    GoogleAuthenticator,
    GoogleStandIn,
    User,
)

from platform_cli.cluster.access import Access, TokenSource, access_of, read_access
from platform_cli.cluster.kubeconfig import add_access, default_file
from platform_cli.cluster.outputs import Autoscaler, ClusterOutputs, Database, SecretStore
from platform_cli.errors import PreflightError, RefusedError, StateError
from platform_cli.target import CloudName, Env
from platform_cli.tools.kubernetes_credential import Credential

KEYS = {"AKIATEST": "not-a-real-secret"}
ARN = "arn:aws:sts::123456789012:user/moto"  # what moto says of a key that it did not make
LOCAL = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


def clean(**more: str) -> dict[str, str]:
    """An environment without this machine's credentials."""
    foreign = ("AWS_", "AZURE_", "ARM_", "GOOGLE_", "GCE_", "IDENTITY_", "MSI_", "MLOPS_", "KUBECONFIG")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**kept, **LOCAL, "AWS_EC2_METADATA_DISABLED": "true", **more}


def mlops(*words: str, cwd: Path, env: Mapping[str, str], code: int = 0) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "platform_cli", *words]
    done = subprocess.run(argv, cwd=cwd, env=dict(env), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == code, done.stderr or done.stdout
    return done


def review(authenticator: Authenticator, token: str) -> dict[str, Any]:
    """Ask as an API server does."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    request = urllib.request.Request(
        f"{authenticator.url}/authenticate", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())["status"]


def read_token(done: subprocess.CompletedProcess[str]) -> tuple[str, datetime]:
    credential = json.loads(done.stdout)
    assert (credential["apiVersion"], credential["kind"]) == (
        "client.authentication.k8s.io/v1",
        "ExecCredential",
    )
    return credential["status"]["token"], datetime.fromisoformat(credential["status"]["expirationTimestamp"])


# --- AWS ---


@pytest.fixture(scope="module")
def sts() -> Iterator[str]:
    from moto.moto_server.threaded_moto_server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(sts: str) -> dict[str, str]:
    ((key, secret),) = KEYS.items()
    return clean(AWS_ACCESS_KEY_ID=key, AWS_SECRET_ACCESS_KEY=secret, AWS_ENDPOINT_URL_STS=sts)


def aws_token(tmp_path: Path, env: Mapping[str, str], cluster: str = "mlops-dev") -> tuple[str, datetime]:
    words = ("kube", "token", "--cloud", "aws", "--cluster", cluster, "--region", "eu-central-1")
    return read_token(mlops(*words, cwd=tmp_path, env=env))


def test_a_token_opens_its_eks_cluster_and_no_other(tmp_path: Path, sts: str, aws: dict[str, str]) -> None:
    before = datetime.now(UTC)
    token, expires = aws_token(tmp_path, aws)
    assert timedelta(minutes=13) < expires - before < timedelta(minutes=15)
    with AwsAuthenticator("mlops-dev", sts, KEYS) as here, AwsAuthenticator("mlops-prod", sts, KEYS) as elsewhere:
        assert review(here, token)["user"]["username"] == ARN
        refused = review(elsewhere, token)
    assert not refused["authenticated"]
    assert "not for this cluster" in refused["error"]


def test_a_token_of_another_key_or_user_is_refused(tmp_path: Path, sts: str, aws: dict[str, str]) -> None:
    token, _ = aws_token(tmp_path, aws)
    forged, _ = aws_token(tmp_path, {**aws, "AWS_SECRET_ACCESS_KEY": "not-a-real-key-either"})
    with AwsAuthenticator("mlops-dev", sts, KEYS, users={"arn:aws:iam::1:user/other": User("other")}) as strict:
        assert "no access entry" in review(strict, token)["error"]
        assert "not with this key" in review(strict, forged)["error"]
        assert "another form" in review(strict, "abc.def")["error"]


def test_credentials_of_a_profile_are_taken(tmp_path: Path, sts: str) -> None:
    ((key, secret),) = KEYS.items()
    (tmp_path / "credentials").write_text(f"[team]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n")
    env = clean(AWS_SHARED_CREDENTIALS_FILE=str(tmp_path / "credentials"), AWS_ENDPOINT_URL_STS=sts)
    words = ("kube", "token", "--cloud", "aws", "--cluster", "c", "--region", "us-east-1", "--profile", "team")
    token, _ = read_token(mlops(*words, cwd=tmp_path, env=env))
    with AwsAuthenticator("c", sts, KEYS) as authenticator:
        assert review(authenticator, token)["authenticated"]


def test_without_aws_credentials_the_error_says_how_to_log_in(tmp_path: Path) -> None:
    words = ("kube", "token", "--cloud", "aws", "--cluster", "c", "--region", "us-east-1")
    done = mlops(*words, cwd=tmp_path, env=clean(HOME=str(tmp_path)), code=4)
    assert "no token for the EKS cluster c: Unable to locate credentials" in done.stderr
    assert "aws sso login" in done.stderr
    assert done.stdout == ""


def test_a_target_that_is_not_deployed_has_no_token(tmp_path: Path) -> None:
    done = mlops("kube", "token", "--cloud", "aws", cwd=tmp_path, env=clean(), code=8)
    assert "aws/dev has no cluster yet" in done.stderr
    assert "mlops deploy --cloud aws --env dev" in done.stderr


# --- Azure ---


def test_a_token_of_entra_opens_an_aks_cluster(tmp_path: Path) -> None:
    with EntraStandIn() as entra, EntraAuthenticator(entra) as authenticator:
        done = mlops("kube", "token", "--cloud", "azure", cwd=tmp_path, env=clean(**entra.environment))
        token, expires = read_token(done)
        assert review(authenticator, token)["user"]["username"] == "operator@example.com"
        assert timedelta(minutes=50) < expires - datetime.now(UTC) < timedelta(minutes=61)
        assert not review(authenticator, f"{token}x")["authenticated"]


def test_an_expired_token_of_entra_is_refused(tmp_path: Path) -> None:
    with EntraStandIn() as entra, EntraAuthenticator(entra) as authenticator:
        entra.lifetime = -timedelta(minutes=5)
        done = mlops("kube", "token", "--cloud", "azure", cwd=tmp_path, env=clean(**entra.environment))
        assert "expired" in review(authenticator, read_token(done)[0])["error"]


def test_without_an_azure_login_the_error_says_how_to_log_in(tmp_path: Path) -> None:
    # What the chain would find on a machine that is logged in is left out: it names one link, which has nothing.
    env = clean(HOME=str(tmp_path), AZURE_TOKEN_CREDENTIALS="EnvironmentCredential")
    done = mlops("kube", "token", "--cloud", "azure", cwd=tmp_path, env=env, code=4)
    assert "no token for AKS" in done.stderr
    assert "az login" in done.stderr


# --- Google ---


def test_a_token_of_a_service_account_opens_a_gke_cluster(tmp_path: Path) -> None:
    with GoogleStandIn() as google, GoogleAuthenticator(google) as authenticator:
        done = mlops("kube", "token", "--cloud", "gcp", cwd=tmp_path, env=clean(**google.environment(tmp_path)))
        token, expires = read_token(done)
        assert review(authenticator, token)["user"]["username"] == google.email
        assert timedelta(minutes=50) < expires - datetime.now(UTC) < timedelta(minutes=61)
        assert "does not know" in review(authenticator, "ya29.other")["error"]


def test_a_token_of_the_metadata_server_opens_a_gke_cluster(tmp_path: Path) -> None:
    with GoogleStandIn() as google, GoogleAuthenticator(google) as authenticator:
        env = clean(HOME=str(tmp_path), **google.metadata_environment)
        done = mlops("kube", "token", "--cloud", "gcp", cwd=tmp_path, env=env)
        assert review(authenticator, read_token(done)[0])["authenticated"]


def test_a_google_account_that_was_removed_is_told(tmp_path: Path) -> None:
    with GoogleStandIn() as google:
        env = clean(**google.environment(tmp_path))
        google.email = "somebody-else@project.iam.gserviceaccount.com"
        done = mlops("kube", "token", "--cloud", "gcp", cwd=tmp_path, env=env, code=4)
    assert "invalid_grant" in done.stderr
    assert "gcloud auth application-default login" in done.stderr


def test_clouds_without_such_tokens_are_refused(tmp_path: Path) -> None:
    done = mlops("kube", "token", "--cloud", "embedded", cwd=tmp_path, env=clean(), code=2)
    assert "take no cloud's tokens" in done.stderr


# --- the kubeconfig that asks for tokens ---


def outputs(**more: Any) -> ClusterOutputs:
    given: dict[str, Any] = {
        "artifact_stores": {},
        "autoscaler": Autoscaler(),
        "cloud": "aws",
        "cluster_ca_certificate": "Y2E=",
        "cluster_endpoint": "https://eks.example.com",
        "cluster_name": "mlops-dev",
        "database": Database(),
        "deployment_id": "d",
        "environment": "dev",
        "identities": {},
        "kubernetes_version": "1.35",
        "network_id": "n",
        "node_pools": {},
        "oidc_issuer_url": "",
        "region": "eu-central-1",
        "registry_url": "",
        "secret_store": SecretStore(),
        "secrets": {},
    }
    return ClusterOutputs(**{**given, **more})


def test_the_kubeconfig_of_a_cloud_asks_for_its_tokens_itself(
    tmp_path: Path, sts: str, aws: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    access = access_of(outputs(), TokenSource(CloudName.AWS, Env.DEV))
    monkeypatch.chdir(tmp_path)
    header = Credential(access, aws).show().header
    with AwsAuthenticator("mlops-dev", sts, KEYS) as authenticator:
        assert review(authenticator, header.removeprefix("Bearer "))["authenticated"]
    written = yaml.safe_load(access.write(tmp_path / "k.yaml").read_text())
    assert "token" not in json.dumps(written["users"][0]["user"]["exec"].get("env", []))
    assert written["users"][0]["user"]["exec"]["args"][:4] == ["-m", "platform_cli", "kube", "token"]


PLUGIN = """
import json, sys, datetime
log, minutes = sys.argv[1:]
with open(log, "a") as lines:
    lines.write("asked\\n")
until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=int(minutes))
status = {"token": f"token-{len(open(log).readlines())}", "expirationTimestamp": until.isoformat()}
json.dump({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}, sys.stdout)
"""


def access_by(user: Mapping[str, Any]) -> Access:
    made = access()
    return replace(made, kubeconfig={**made.kubeconfig, "users": [{"name": "u", "user": user}]})


@pytest.mark.parametrize(("minutes", "asked"), [(30, 1), (3, 3)])
def test_a_program_gets_a_token_instead_of_a_plugin(tmp_path: Path, minutes: int, asked: int) -> None:
    """Each start of such a program would start the plugin; one that ends soon is not handed on twice."""
    (tmp_path / "plugin.py").write_text(PLUGIN)
    log = tmp_path / "log"
    words = [str(tmp_path / "plugin.py"), str(log), str(minutes)]
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": sys.executable, "args": words}
    credential = Credential(access_by({"exec": plugin, "as": "somebody"}))
    credential.settle()
    settled = credential.settle()
    assert settled.user == {"token": f"token-{asked}", "as": "somebody"}
    assert settled.server == access().server
    assert len(log.read_text().splitlines()) == asked


def test_an_access_without_a_plugin_is_handed_on_as_it_is() -> None:
    assert Credential(access()).settle() == access()


def record_outputs(project: Path, cloud: str = "aws") -> None:
    """What a deploy leaves behind: Terraform's state with the core outputs."""
    values = {**asdict(outputs(cloud=cloud)), "node_pools": {}}
    state = {
        "version": 4,
        "serial": 1,
        "lineage": "test",
        "resources": [],
        "outputs": {name: {"value": value, "type": "string"} for name, value in values.items()},
    }
    file = project / ".mlops" / f"{cloud}-dev" / "terraform" / "state" / "terraform.tfstate"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(state))


def test_a_deployed_target_needs_no_words(tmp_path: Path, sts: str, aws: dict[str, str]) -> None:
    record_outputs(tmp_path)
    token, _ = read_token(mlops("kube", "token", "--cloud", "aws", cwd=tmp_path, env=aws))
    words = ("kube", "config", "--cloud", "aws", "--file", "k.yaml")
    told = json.loads(mlops(*words, "--output", "json", cwd=tmp_path, env=aws).stdout)
    written = read_access(str(tmp_path / "k.yaml"), None, {})
    assert (told["context"], written.server) == ("mlops-aws-dev", "https://eks.example.com")
    with AwsAuthenticator("mlops-dev", sts, KEYS) as authenticator:
        assert review(authenticator, token)["authenticated"]
        assert review(authenticator, Credential(written, aws).show().header.removeprefix("Bearer "))["authenticated"]
    assert "k8s-aws-v1" not in (tmp_path / "k.yaml").read_text()


@pytest.mark.parametrize("cloud", ["azure", "gcp"])
def test_the_kubeconfig_of_each_cloud_names_it(tmp_path: Path, cloud: str) -> None:
    record_outputs(tmp_path, cloud)
    mlops("kube", "config", "--cloud", cloud, "--file", "k.yaml", cwd=tmp_path, env=clean())
    words = read_access(str(tmp_path / "k.yaml"), None, {}).user["exec"]["args"]
    assert words[4:8] == ["--cloud", cloud, "--env", "dev"]


# --- merging ---


def access(server: str = "https://new.example.com") -> Access:
    return Access(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": server}}],
            "users": [{"name": "u", "user": {"token": "not-a-real-token"}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        },
        "x",
    )


FOREIGN = {
    "apiVersion": "v1",
    "kind": "Config",
    "preferences": {"colors": True},
    "clusters": [{"name": "work", "cluster": {"server": "https://work.example.com"}}],
    "users": [{"name": "me", "user": {"token": "not-a-real-one", "extra": [1, 2.5, None]}}],
    "contexts": [{"name": "work", "context": {"cluster": "work", "user": "me", "namespace": "a"}}],
    "current-context": "work",
    "extensions": [{"name": "tool", "extension": {"since": "2026-01-01"}}],
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config"
    path.write_text(f"# mine\n{yaml.safe_dump(FOREIGN)}")
    return path


def test_what_others_wrote_stays(file: Path) -> None:
    before = file.read_text()
    done = add_access(file, access(), "mlops", target="aws/dev", uses=False, forces=False)
    after = yaml.safe_load(file.read_text())
    for key, value in FOREIGN.items():
        assert after[key] == value or after[key][: len(value)] == value
    assert after["current-context"] == done.current == "work"
    assert [item["name"] for item in after["contexts"]] == ["work", "mlops"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert done.backup is not None
    assert done.backup.read_text() == before
    assert stat.S_IMODE(done.backup.stat().st_mode) == 0o600
    read = read_access(str(file), "mlops", {})
    assert read.server == "https://new.example.com"


def test_ours_is_brought_up_to_date_and_nothing_is_written_twice(file: Path) -> None:
    add_access(file, access(), "mlops", target="aws/dev", uses=True, forces=False)
    before = file.read_text()
    assert not add_access(file, access(), "mlops", target="aws/dev", uses=True, forces=False).changed
    assert file.read_text() == before
    moved = access("https://moved.example.com")
    assert add_access(file, moved, "mlops", target="aws/dev", uses=False, forces=False).changed
    assert read_access(str(file), None, {}).server == "https://moved.example.com"


def test_a_context_of_somebody_else_is_not_replaced_unasked(file: Path) -> None:
    before = file.read_text()
    with pytest.raises(RefusedError, match="a context and a cluster named work that is not of aws/dev"):
        add_access(file, access(), "work", target="aws/dev", uses=False, forces=False)
    add_access(file, access(), "mlops", target="aws/dev", uses=False, forces=False)
    with pytest.raises(RefusedError, match="not of aws/prod"):
        add_access(file, access(), "mlops", target="aws/prod", uses=False, forces=False)
    file.write_text(before)
    add_access(file, access(), "work", target="aws/dev", uses=False, forces=True)
    assert read_access(str(file), "work", {}).server == "https://new.example.com"


def test_a_new_file_is_usable_at_once_and_a_link_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real" / "config", tmp_path / "link"
    link.symlink_to(real)
    done = add_access(link, access(), "mlops", target="aws/dev", uses=False, forces=False)
    assert (done.current, done.backup) == ("mlops", None)
    assert link.is_symlink()
    assert read_access(str(real), None, {}).context == "mlops"


@pytest.mark.parametrize("text", ["- a\n- b\n", "contexts: 3\n", "a: [\n", "clusters: [work]\n"])
def test_a_file_that_is_no_kubeconfig_is_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(PreflightError, match=r"is no (YAML|kubeconfig)"):
        add_access(path, access(), "mlops", target="aws/dev", uses=False, forces=False)
    assert path.read_text() == text
    assert [each.name for each in tmp_path.iterdir()] == ["config"]


def test_a_lock_of_kubectl_is_respected(file: Path) -> None:
    lock = file.with_name("config.lock")
    lock.touch()
    before = file.read_text()
    with pytest.raises(StateError, match="being written by another program"):
        add_access(file, access(), "mlops", target="aws/dev", uses=False, forces=False, patience_s=0.2)
    assert (file.read_text(), lock.exists()) == (before, True)


def test_a_lock_of_a_killed_mlops_is_taken_over(file: Path) -> None:
    child = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    lock = file.with_name("config.lock")
    lock.write_text(f"mlops {int(child.stdout)} 1.0")
    assert add_access(file, access(), "mlops", target="aws/dev", uses=False, forces=False).changed
    assert not lock.exists()


def test_a_lock_that_came_in_place_of_a_dead_one_is_respected(file: Path) -> None:
    """Two find the lock of a killed mlops: the second to remove it must leave the first one's own."""
    child = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    lock, me = file.with_name("config.lock"), psutil.Process()
    lock.write_text(f"mlops {int(child.stdout)} 1.0")
    with ThreadPoolExecutor(1) as pool, lock.open("rb") as dead:
        fcntl.flock(dead, fcntl.LOCK_EX)
        second = pool.submit(
            add_access, file, access(), "mlops", target="aws/dev", uses=False, forces=False, patience_s=0
        )
        while [each.path for each in me.open_files()].count(str(lock)) < 2:
            assert not second.done()
        lock.unlink()
        lock.write_text(f"mlops {me.pid} {me.create_time()}")
        fcntl.flock(dead, fcntl.LOCK_UN)
        with pytest.raises(StateError, match="being written by another program"):
            second.result()
    assert lock.exists()


def test_two_at_once_lose_nothing(file: Path) -> None:
    code = """
import sys
from pathlib import Path
from platform_cli.cluster.access import read_access
from platform_cli.cluster.kubeconfig import add_access
access = read_access(sys.argv[1], "work", {})
for number in range(5):
    add_access(Path(sys.argv[1]), access, f"{sys.argv[2]}-{number}", target="aws/dev", uses=False, forces=False)
"""
    writers = [subprocess.Popen([sys.executable, "-c", code, str(file), name]) for name in ("a", "b")]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    names = {item["name"] for item in yaml.safe_load(file.read_text())["contexts"]}
    assert names == {"work", *(f"{name}-{number}" for name in "ab" for number in range(5))}


def test_the_default_file_is_kubectls() -> None:
    assert default_file({"KUBECONFIG": f"/a{os.pathsep}/b"}) == Path("/a")
    assert default_file({"HOME": "/home/me"}) == Path("/home/me/.kube/config")


def test_the_command_adds_an_existing_cluster(tmp_path: Path, file: Path) -> None:
    env = clean(KUBECONFIG=str(file))
    words = ("kube", "config", "--cloud", "existing", "--file", "out.yaml", "--context", "team")
    told = json.loads(mlops(*words, "--output", "json", cwd=tmp_path, env=env).stdout)
    assert (told["context"], told["current"], told["changed"]) == ("team", "team", True)
    assert read_access(str(tmp_path / "out.yaml"), None, {}).server == "https://work.example.com"
    assert "--merge, or --file" in mlops("kube", "config", "--cloud", "existing", cwd=tmp_path, env=env, code=2).stderr
    assert "has no cluster" in mlops("kube", "config", "--file", "x", cwd=tmp_path, env=env, code=2).stderr
