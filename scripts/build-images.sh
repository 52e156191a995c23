#!/bin/sh
# The platform's own images, with whatever builds images here:
#   REGISTRY  prefix of their names (docker.io/library)      IMAGES   which ones (training serving tracking)
#   PUSH      yes: push them, too                            OPTIONS  more options of `build`, such as --network=host
set -eu
registry=${REGISTRY:-docker.io/library}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
if docker info >/dev/null 2>&1; then
    tool=docker
elif command -v buildah >/dev/null; then
    tool=buildah
else
    echo "building images needs a running Docker engine, or buildah" >&2
    exit 4
fi
for image in ${IMAGES:-training serving tracking}; do
    name=$registry/mlops-$image:$version
    echo "$tool: $name"
    # OPTIONS is a list of words.
    # shellcheck disable=SC2086
    "$tool" build --quiet ${OPTIONS:-} --tag "$name" "pipelines/$image"
    [ "${PUSH:-no}" != yes ] || "$tool" push "$name"
done
