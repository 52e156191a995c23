"""Who we are for the API: a certificate, a token, or what a program or an SDK makes when it is needed."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from platform_cli.errors import PreflightError
from platform_cli.process import ask_program

if TYPE_CHECKING:
    from platform_cli.cluster.access import Access

# A token that ends while a request is under way would fail it.
_MARGIN = timedelta(seconds=60)
# What is handed to a program must outlast its work.
_LONG = timedelta(minutes=6)
_PLUGIN_TIMEOUT_S = 60.0
_SHOWN_LINES = 8


@dataclass(frozen=True, slots=True)
class Proof:
    """What a request or a connection shows: a header, or a client certificate with its key (both PEM)."""

    header: str = ""
    certificate: str = ""
    key: str = field(default="", repr=False)
    expires: datetime | None = None

    @property
    def holds(self) -> bool:
        """Whether it may still be used."""
        return self.holds_for(_MARGIN)

    def holds_for(self, time: timedelta) -> bool:
        """Whether it may be used that long."""
        return self.expires is None or datetime.now(UTC) < self.expires - time


class Credential:
    """The user of an access. Threads may share it."""

    def __init__(self, access: Access, environ: Mapping[str, str] | None = None) -> None:
        self._access = access
        self._environ = os.environ if environ is None else environ
        self._lock = threading.Lock()
        self._proof: Proof | None = None

    @property
    def is_renewable(self) -> bool:
        """Whether a new one can be made when the API no longer takes this one."""
        return "exec" in self._access.user or "auth-provider" in self._access.user

    def show(self, *, renew: Proof | None = None) -> Proof:
        """The proof that holds now, made anew when it ended or when the API refused `renew`.

        Raises:
            PreflightError: the program that makes it failed.
        """
        with self._lock:
            if self._proof is None or not self._proof.holds or self._proof is renew:
                self._proof = _make(self._access, self._environ)
            return self._proof

    def settle(self) -> Access:
        """The access with what its plugin made inside; one without a plugin as it is.

        A program that gets it does not start the plugin once more at each of its own starts, which takes a second and
        asks the cloud.

        Raises:
            PreflightError: the plugin failed.
        """
        if "exec" not in self._access.user:
            return self._access
        proof = self.show()
        if not proof.holds_for(_LONG):
            proof = self.show(renew=proof)
        made = {
            "token": proof.header.removeprefix("Bearer "),
            "client-certificate-data": _encode(proof.certificate),
            "client-key-data": _encode(proof.key),
        }
        (entry,) = self._access.kubeconfig["users"]
        user = {key: value for key, value in {**entry["user"], **made, "exec": None}.items() if value}
        return replace(self._access, kubeconfig={**self._access.kubeconfig, "users": [{**entry, "user": user}]})


def _make(access: Access, environ: Mapping[str, str]) -> Proof:
    """In the order of the official client: certificate beside any of token, program, provider, password."""
    user = access.user
    certificate = _decode(user.get("client-certificate-data"))
    key = _decode(user.get("client-key-data"))
    if token := user.get("token"):
        return Proof(f"Bearer {token}", certificate, key)
    if "exec" in user:
        return _ask_plugin(user["exec"], access, environ)
    if "auth-provider" in user:
        return Proof(_ask_provider(access), certificate, key, datetime.now(UTC) + 2 * _MARGIN)
    if "username" in user and "password" in user:
        pair = f"{user['username']}:{user['password']}".encode()
        return Proof(f"Basic {base64.b64encode(pair).decode('ascii')}", certificate, key)
    return Proof("", certificate, key)


def _decode(data: str | None) -> str:
    return base64.b64decode(data).decode("ascii") if data else ""


def _encode(text: str) -> str:
    return base64.b64encode(text.encode("ascii")).decode("ascii")


def _ask_plugin(plugin: Mapping[str, Any], access: Access, environ: Mapping[str, str]) -> Proof:
    """Run the user's credential plugin (client.authentication.k8s.io)."""
    argv = [str(plugin["command"]), *map(str, plugin.get("args") or ())]
    given = {str(item["name"]): str(item["value"]) for item in plugin.get("env") or ()}
    env = {**environ, **given, "KUBERNETES_EXEC_INFO": _exec_info(plugin, access)}
    name = f"{access.context}: the credential plugin `{os.path.basename(argv[0])} {' '.join(argv[1:])}`"  # noqa: PTH119
    try:
        answer = ask_program(argv, env=env, timeout_s=_PLUGIN_TIMEOUT_S)
    except OSError as error:
        hint = str(plugin.get("installHint") or "install it, or correct `command` in the kubeconfig").strip()
        raise PreflightError(f"{name} does not run: {error.strerror or error}", hint=hint) from error
    if answer.code != 0:
        details = tuple(answer.stderr.strip().splitlines()[-_SHOWN_LINES:])
        raise PreflightError(
            f"{name} failed with code {answer.code}", hint="log in to the cloud again", details=details
        )
    return _read_answer(answer.stdout, name)


def _exec_info(plugin: Mapping[str, Any], access: Access) -> str:
    spec: dict[str, Any] = {"interactive": False}
    if plugin.get("provideClusterInfo"):
        cluster = access.cluster
        spec["cluster"] = {
            "server": access.server,
            **{name: cluster[name] for name in ("certificate-authority-data", "tls-server-name") if name in cluster},
        }
    return json.dumps({"apiVersion": plugin.get("apiVersion"), "kind": "ExecCredential", "spec": spec})


def _read_answer(text: bytes, name: str) -> Proof:
    try:
        status = json.loads(text)["status"]
        expires = status.get("expirationTimestamp")
        token = status.get("token")
        return Proof(
            f"Bearer {token}" if token else "",
            status.get("clientCertificateData") or "",
            status.get("clientKeyData") or "",
            datetime.fromisoformat(expires) if expires else None,
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PreflightError(
            f"{name} wrote no ExecCredential", hint="it must be one for Kubernetes 1.26 or newer"
        ) from error


def _ask_provider(access: Access) -> str:
    """OpenID Connect as the official client does it; it is rare and its library slow to import, so only here."""
    from kubernetes.client import Configuration
    from kubernetes.config.config_exception import ConfigException
    from kubernetes.config.kube_config import KubeConfigLoader

    configuration = Configuration()
    try:
        KubeConfigLoader(dict(access.kubeconfig), active_context=access.context).load_and_set(configuration)
    except ConfigException as error:
        raise PreflightError(f"{access.context}: {error}", hint="log in to the cluster again") from error
    return str(configuration.api_key.get("BearerToken", ""))
