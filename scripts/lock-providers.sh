#!/bin/sh
# The providers' versions and checksums for each root, for Linux and macOS on both processors. The roots of a cloud name the same
# providers, so that one lock serves them all. CLOUDS, PLATFORMS and MIRROR (a folder instead of the public registry) may be set.
set -eu
cd "$(dirname "$0")/../infrastructure/terraform/environments"
set --
for platform in ${PLATFORMS:-linux_amd64 linux_arm64 darwin_amd64 darwin_arm64}; do
    set -- "$@" "-platform=$platform"
done
[ -z "${MIRROR:-}" ] || set -- "$@" "-fs-mirror=$MIRROR"
for cloud in ${CLOUDS:-*}; do
    first=
    for root in "$cloud"/*; do
        if [ -z "$first" ]; then
            first=$root
            terraform -chdir="$root" get >/dev/null
            terraform -chdir="$root" providers lock "$@"
        else
            cp "$first/.terraform.lock.hcl" "$root"
        fi
    done
done
