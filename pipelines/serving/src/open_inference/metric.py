"""Prometheus metrics of the server, in a registry of its own."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

CONTENT_TYPE = CONTENT_TYPE_LATEST
# Seconds. A row takes about a millisecond; the top catches a model that is far too slow.
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class Metrics:
    """What is counted. Names follow Prometheus' conventions: base units, `_total` for counters."""

    registry: CollectorRegistry
    requests: Counter
    errors: Counter
    rows: Counter
    latency: Histogram
    in_flight: Gauge
    ready: Gauge

    def expose(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return bytes(generate_latest(self.registry))


def create_metrics(name: str, version: str) -> Metrics:
    """Metrics of one model; name and version are labels of `mlops_model_info` only, so series stay few."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    Info("mlops_model", "The model served.", registry=registry).info({"name": name, "version": version})
    return Metrics(
        registry,
        Counter("mlops_inference_requests", "Inference requests.", registry=registry),
        Counter("mlops_inference_errors", "Inference requests refused or failed.", ["status"], registry=registry),
        Counter("mlops_inference_rows", "Rows predicted.", registry=registry),
        Histogram("mlops_inference_latency_seconds", "From body to answer.", buckets=_BUCKETS, registry=registry),
        Gauge("mlops_inference_in_flight", "Inference requests in work.", registry=registry),
        Gauge("mlops_model_ready", "1 when the model answers its own example.", registry=registry),
    )
