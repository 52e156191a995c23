"""TLS as a kubeconfig wants it."""

from __future__ import annotations

import base64
import os
import ssl
import tempfile
from typing import TYPE_CHECKING

from platform_cli.errors import PreflightError

if TYPE_CHECKING:
    from platform_cli.cluster.access import Access
    from platform_cli.tools.kubernetes_credential import Proof


def make_context(access: Access, proof: Proof) -> ssl.SSLContext | None:
    """TLS as the kubeconfig wants it; None for plain HTTP.

    Raises:
        PreflightError: a certificate or key in the kubeconfig is none.
    """
    if not access.server.startswith("https:"):
        return None
    try:
        context = ssl.create_default_context(cadata=_read_authority(access) or None)
        if access.cluster.get("insecure-skip-tls-verify"):
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        # From Python 3.13 on this flag is set, and refuses the authorities that EKS and older kubeadm made.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if proof.certificate:
            _load_pair(context, proof)
    except (ssl.SSLError, ValueError) as error:
        reason = f"{access.context}: a certificate or key in the kubeconfig is not valid: {error}"
        raise PreflightError(reason, hint="get a new kubeconfig for this cluster") from error
    return context


def _read_authority(access: Access) -> str:
    return base64.b64decode(access.cluster.get("certificate-authority-data") or "").decode("ascii")


def _load_pair(context: ssl.SSLContext, proof: Proof) -> None:
    """Python takes a client certificate from files only; ours live for a moment and only we can read them."""
    with tempfile.TemporaryDirectory(prefix="mlops-") as folder:
        pair = os.path.join(folder, "pair.pem")  # noqa: PTH118 - one text, no path arithmetic
        descriptor = os.open(pair, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{proof.certificate}\n{proof.key}\n")
        context.load_cert_chain(pair)
