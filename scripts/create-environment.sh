#!/bin/sh
# Installs the locked versions of $1 and this project into $VENV: with uv when it is there, with plain pip otherwise.
set -eu
LOCK=$1
PYTHON=${PYTHON:-python3}
VENV=${VENV:-.venv}
started=$(date +%s)

"$PYTHON" - <<'PY'
import sys
if sys.version_info < (3, 11):
    found = sys.version.split()[0]
    sys.exit(f"error: Python 3.11 or newer is needed, this is {found}\n  next: make PYTHON=/path/to/python3.11 ...")
PY

[ -x "$VENV/bin/python" ] || "$PYTHON" -m venv "$VENV"
if command -v uv >/dev/null 2>&1; then
    install="uv pip install --quiet --python $VENV/bin/python"
else
    install="$VENV/bin/python -m pip install --quiet --disable-pip-version-check"
fi
$install --require-hashes --requirement "$LOCK"
$install --no-deps --editable .
version=$("$VENV/bin/python" -c 'import platform; print(platform.python_version())')
printf '✓ %-21s %-45s %6s s\n' environment "$VENV, Python $version" "$(($(date +%s) - started))"
