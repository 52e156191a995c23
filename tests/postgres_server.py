"""A real PostgreSQL of a test's own, which takes connections over TLS and with a password only."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Self

import pytest
from certificate import write_pem

# It refuses to run as root.
_ACCOUNT = "postgres"


class PostgresServer:
    """Use it in a `with` statement; skips where PostgreSQL is not installed. Its files go with it."""

    def __init__(self, port: int) -> None:
        if shutil.which("initdb") is None or shutil.which("psql") is None:
            pytest.skip("needs PostgreSQL's initdb, postgres and psql on PATH")
        self.port = port
        self._user = _ACCOUNT if os.geteuid() == 0 else None

    def __enter__(self) -> Self:
        # The socket's path must be short, and the account must get there: pytest's own folders are neither.
        self._folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        certificate = write_pem(self._folder / "server.pem", "postgres")
        if self._user:
            shutil.chown(self._folder, self._user)
            shutil.chown(certificate, self._user)
        data = self._folder / "data"
        self._run("initdb", "--pgdata", str(data), "--username", _ACCOUNT, "--auth", "trust", "--no-sync")
        (data / "pg_hba.conf").write_text("local all all trust\nhostssl all all all scram-sha-256\n")
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self._folder,
            "ssl": "on",
            "ssl_cert_file": certificate,
            "ssl_key_file": certificate,
        }
        (data / "postgresql.auto.conf").write_text("".join(f"{name} = '{it}'\n" for name, it in settings.items()))
        self._run("pg_ctl", "--pgdata", str(data), "--log", str(self._folder / "log"), "--wait", "start")
        return self

    def __exit__(self, *_: object) -> None:
        self._run("pg_ctl", "--pgdata", str(self._folder / "data"), "--mode", "immediate", "--wait", "stop")
        shutil.rmtree(self._folder)

    def add_owner(self, user: str, password: str, database: str) -> None:
        """A login with that password, and a database of its own; both are left as they are when they are there."""
        if not self.ask(f"SELECT 1 FROM pg_roles WHERE rolname = '{user}'"):
            self.ask(f"CREATE ROLE \"{user}\" LOGIN PASSWORD '{password}'")
            self.ask(f'CREATE DATABASE "{database}" OWNER "{user}"')

    def ask(self, statement: str, database: str = _ACCOUNT) -> str:
        """What psql answers, bare."""
        where = ("--host", str(self._folder), "--port", str(self.port), "--username", _ACCOUNT, "--dbname", database)
        return self._run("psql", *where, "--no-align", "--tuples-only", "--set", "ON_ERROR_STOP=1", stdin=statement)

    def _run(self, *argv: str, stdin: str = "") -> str:
        done = subprocess.run(
            argv, input=stdin, capture_output=True, text=True, check=False, user=self._user, cwd=self._folder
        )
        assert done.returncode == 0, (argv, done.stdout, done.stderr)
        return done.stdout.strip()
