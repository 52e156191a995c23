"""Asks image registries which content a tag stands for, by the API that all of them speak; nothing is pulled."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from platform_cli.errors import MlopsError, NotFoundError, PreflightError, ToolError

if TYPE_CHECKING:
    import urllib3

_ACCEPT = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LOOPBACK = re.compile(r"localhost|127(\.\d+){3}")
_CONNECT_S, _READ_S = 5.0, 15.0
_DENIED = (401, 403)
_MISSING = 404
_GOOD = 200
_HINT = "name the digest in the chart's values, or look it up where you copy the image"


class ImageName(NamedTuple):
    """A container image by its parts; what Docker would add is added."""

    host: str
    repository: str
    tag: str


def parse_image(image: str) -> ImageName:
    """Split a name such as `busybox`, `team/app:1` or `quay.io/team/app:1`; a digest at its end is not looked at."""
    name = image.partition("@")[0]
    first, _, rest = name.partition("/")
    is_host = bool(rest) and ("." in first or ":" in first or first == "localhost")
    host, path = (first, rest) if is_host else ("docker.io", name if rest else f"library/{name}")
    repository, _, tag = path.partition(":")
    return ImageName(host, repository, tag or "latest")


def require_registry(host: str) -> None:
    """Ask whether a registry answers at all.

    Raises:
        PreflightError: it cannot be reached.
    """
    _ask("GET", _find_base(host), {})


def resolve_digest(image: str) -> str:
    """SHA-256 of what a registry has under a tag now: of the index, where there is one for several platforms.

    Nobody logs in: it is asked as anybody may ask. Registries on this machine are asked without TLS, as Docker does.

    Raises:
        PreflightError: the registry cannot be reached, or wants a login.
        NotFoundError: it has no such image.
        ToolError: it gives no digest.
    """
    name = parse_image(image)
    url = f"{_find_base(name.host)}{name.repository}/manifests/{name.tag}"
    answer = _ask("HEAD", url, {"Accept": _ACCEPT})
    if answer.status == _DENIED[0]:
        token = _get_token(answer.headers.get("WWW-Authenticate", ""), name)
        answer = _ask("HEAD", url, {"Accept": _ACCEPT, "Authorization": f"Bearer {token}"})
    digest = answer.headers.get("Docker-Content-Digest", "")
    if answer.status != _GOOD or not _DIGEST.fullmatch(digest):
        raise _explain(name, answer.status)
    return digest


def _find_base(host: str) -> str:
    """Where the API of a registry begins; the name that everybody writes for Docker's is no address."""
    address = "registry-1.docker.io" if host == "docker.io" else host
    return f"{_scheme(address)}://{address}/v2/"


def _get_token(challenge: str, name: ImageName) -> str:
    """What the registry's own authority gives to anybody who wants to pull."""
    from urllib.request import parse_http_list, parse_keqv_list

    import msgspec

    kind, _, rest = challenge.partition(" ")
    fields = parse_keqv_list(parse_http_list(rest)) if kind.lower() == "bearer" else {}
    realm = fields.pop("realm", "")
    if not _is_trusted(realm):
        raise _explain(name, _DENIED[0])
    fields = {"scope": f"repository:{name.repository}:pull", **fields}
    answer = _ask("GET", f"{realm}?{urlencode(fields)}", {})
    try:
        body: Any = msgspec.json.decode(answer.data)
        return str(body.get("token") or body["access_token"])
    except (msgspec.DecodeError, KeyError, AttributeError) as error:
        raise _explain(name, answer.status if answer.status in _DENIED else _DENIED[0]) from error


def _is_trusted(realm: str) -> bool:
    """Whether what an authority says there can be believed."""
    parts = urlsplit(realm)
    return bool(parts.hostname) and parts.scheme == _scheme(parts.hostname or "")


def _explain(name: ImageName, status: int) -> MlopsError:
    if status == _MISSING:
        return NotFoundError(f"{name.host} has no {name.repository}:{name.tag}", hint="look at the tag")
    if status in _DENIED:
        return PreflightError(f"{name.host} wants a login for {name.repository}", hint=_HINT)
    return ToolError(f"{name.host} gives no digest for {name.repository}:{name.tag} (HTTP {status})", hint=_HINT)


def _ask(method: str, url: str, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
    import urllib3

    try:
        return _open_pool(_find_proxy(url)).request(method, url, headers=dict(headers))
    except urllib3.exceptions.HTTPError as error:
        host = urlsplit(url).netloc
        raise PreflightError(f"{host} cannot be reached", hint="look at the network and HTTPS_PROXY") from error


@cache
def _open_pool(proxy: str) -> urllib3.PoolManager:
    import urllib3

    timeout = urllib3.Timeout(connect=_CONNECT_S, read=_READ_S)
    retries = urllib3.Retry(connect=0, read=1, redirect=3, other=0)
    if proxy:
        return urllib3.ProxyManager(proxy, timeout=timeout, retries=retries)
    return urllib3.PoolManager(timeout=timeout, retries=retries)


def _find_proxy(url: str) -> str:
    """The environment's proxy for an address; empty for none."""
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme, "")
    return "" if proxy_bypass(parts.netloc) or proxy_bypass(parts.hostname or "") else proxy


def _scheme(host: str) -> str:
    return "http" if _LOOPBACK.fullmatch(host.partition(":")[0]) else "https"
