"""The images of a bundle, each with its digest or with why nobody knows it."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from platform_cli.errors import MlopsError
from platform_cli.tools.image_registry import parse_image, require_registry, resolve_digest

_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class BundleImage:
    """One image as charts name it.

    Attributes:
        digest: of its content, as `sha256:…`; empty when it is unknown.
        source: who says so: the chart, which pins it, or the registry, on the day of the bundle.
        reason: why it is unknown; else empty.
    """

    name: str
    digest: str = ""
    source: Literal["chart", "registry", "unknown"] = "unknown"
    reason: str = ""

    def to_document(self) -> dict[str, str]:
        """As plain data; the digest stands beside the name."""
        known = {"name": self.name.partition("@")[0], "digest": self.digest, "source": self.source}
        return {**known, "reason": self.reason} if self.reason else known


def describe_images(images: Iterable[str]) -> tuple[BundleImage, ...]:
    """The images with the digests that their charts pin, without asking anybody."""
    return tuple(_read(image) for image in sorted(images))


def resolve_images(images: Iterable[str]) -> tuple[BundleImage, ...]:
    """The same with the digests that registries tell; one that cannot be reached is asked once."""
    described = sorted(describe_images(images), key=lambda image: parse_image(image.name).host)
    hosts = [tuple(group) for _, group in groupby(described, key=lambda image: parse_image(image.name).host)]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = [image for group in pool.map(_resolve_host, hosts) for image in group]
    return tuple(sorted(found, key=lambda image: image.name))


def _read(image: str) -> BundleImage:
    digest = image.partition("@")[2]
    return BundleImage(image, digest, "chart") if digest else BundleImage(image, reason="nobody asked")


def _resolve_host(images: tuple[BundleImage, ...]) -> list[BundleImage]:
    """The images of one registry, which is not asked for each when it does not answer at all."""
    wanted = [image for image in images if not image.digest]
    try:
        if wanted:
            require_registry(parse_image(wanted[0].name).host)
    except MlopsError as error:
        return [image if image.digest else BundleImage(image.name, reason=error.message) for image in images]
    return [image if image.digest else _resolve(image) for image in images]


def _resolve(image: BundleImage) -> BundleImage:
    try:
        return BundleImage(image.name, resolve_digest(image.name), "registry")
    except MlopsError as error:
        return BundleImage(image.name, reason=error.message)
