"""The platform as processes and files on this machine: Python alone, no container engine."""

from platform_cli.clouds.embedded.cloud import EmbeddedCloud

__all__ = ["EmbeddedCloud"]
