"""Plays cert-manager with what every Python has: one certificate that Helm made serves all Certificates.

For each Certificate it writes the Secret, says that it is ready, and puts the authority where the annotation
cert-manager.io/inject-ca-from asks for it.
"""

from __future__ import annotations

import base64
import json
import os
import ssl
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
PAIR = Path("/pair")
API = f"https://{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}"
TRUST = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
HOOKS = "/apis/admissionregistration.k8s.io/v1"
INJECT = "cert-manager.io/inject-ca-from"


def ask(method: str, path: str, body: object = None, kind: str = "application/json") -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {(ACCOUNT / 'token').read_text()}", "Content-Type": kind}
    request = urllib.request.Request(API + path, data, headers, method=method)
    with urllib.request.urlopen(request, context=TRUST, timeout=10) as answer:
        return json.load(answer)


def read(name: str) -> str:
    return base64.b64encode((PAIR / name).read_bytes()).decode()


def serve_certificates() -> set[str]:
    """Serve them all; returns their names, as NAMESPACE/NAME."""
    served: set[str] = set()
    for item in ask("GET", "/apis/cert-manager.io/v1/certificates")["items"]:
        meta, name = item["metadata"], item["spec"]["secretName"]
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": meta["namespace"]},
            "type": "kubernetes.io/tls",
            "data": {"tls.crt": read("tls.crt"), "tls.key": read("tls.key"), "ca.crt": read("ca.crt")},
        }
        path = f"/api/v1/namespaces/{meta['namespace']}/secrets/{name}?fieldManager=stand-in&force=true"
        ask("PATCH", path, secret, "application/apply-patch+yaml")
        served.add(f"{meta['namespace']}/{meta['name']}")
        if not item.get("status"):
            now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            ready = {"type": "Ready", "status": "True", "lastTransitionTime": now, "reason": "Issued", "message": ""}
            target = f"/apis/cert-manager.io/v1/namespaces/{meta['namespace']}/certificates/{meta['name']}"
            ask("PATCH", target, {"status": {"conditions": [ready]}}, "application/merge-patch+json")
    return served


def inject_authority(certificates: set[str]) -> None:
    """Only for Certificates that are there: a webhook that came by other ways keeps its own authority."""
    for plural in ("mutatingwebhookconfigurations", "validatingwebhookconfigurations"):
        for item in ask("GET", f"{HOOKS}/{plural}")["items"]:
            hooks = item.get("webhooks", [])
            stale = any(hook["clientConfig"].get("caBundle") != read("ca.crt") for hook in hooks)
            if item["metadata"].get("annotations", {}).get(INJECT) in certificates and stale:
                for hook in hooks:
                    hook["clientConfig"]["caBundle"] = read("ca.crt")
                path = f"{HOOKS}/{plural}/{item['metadata']['name']}"
                ask("PATCH", path, {"webhooks": hooks}, "application/merge-patch+json")


class Health(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_words: object) -> None:
        """Keep quiet."""


threading.Thread(target=ThreadingHTTPServer(("0.0.0.0", 8080), Health).serve_forever, daemon=True).start()
while True:
    try:
        inject_authority(serve_certificates())
    except (urllib.error.URLError, OSError, KeyError) as error:
        print(f"again in a second: {error}", flush=True)  # noqa: T201 - the log of its pod
    time.sleep(1)
