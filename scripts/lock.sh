#!/bin/sh
# One resolution for everything; the smaller lock is cut from it, so that no package has two versions.
set -eu
compile() {
    lock=$1
    shift
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url \
        --custom-compile-command "make lock" --output-file "$lock" "$@" pyproject.toml
}
compile requirements/dev.lock --extra dev
compile requirements/demo.lock --extra ml --constraints requirements/dev.lock
