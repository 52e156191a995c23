#!/bin/sh
# The images' complete locks, for Linux: one version of each package, with the hashes of all its files.
set -eu
for folder in pipelines/serving pipelines/tracking; do
    set --
    [ ! -f "$folder/omitted.txt" ] || set -- --override "$folder/omitted.txt"
    uv pip compile --quiet --python-version 3.11 --python-platform x86_64-manylinux_2_28 --generate-hashes \
        --no-annotate --no-emit-index-url --custom-compile-command "make lock-images" "$@" \
        --output-file "$folder/requirements.lock" "$folder/requirements.txt"
done
