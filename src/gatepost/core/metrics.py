"""Counting what happens, in the words of Prometheus; nothing is counted unless somebody wants to know."""

from collections.abc import Mapping
from typing import Any

__all__ = ["Metrics"]

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
UNMATCHED = "unmatched"

type Labels = tuple[str, ...]


class Metrics:
    """The measures of one Gatepost, in a registry of their own.

    If the environment names a directory for it when the library is first imported, all processes count in files
    there, and each can tell for all of them.
    """

    def __init__(self) -> None:
        import prometheus_client
        from prometheus_client import values

        self._library = prometheus_client
        self._shared = values.ValueClass is not values.MutexValue
        self._registry = prometheus_client.CollectorRegistry()
        self.content_type: str = prometheus_client.CONTENT_TYPE_LATEST
        self._requests = prometheus_client.Histogram(
            "gatepost_http_request_duration_seconds",
            "How long requests took.",
            ("route", "method", "status"),
            registry=self._registry,
            buckets=_SECONDS,
        )
        self._observe: dict[tuple[str | None, str, int], Any] = {}
        self._counters: dict[str, Any] = {}
        self._gauges: dict[str, Any] = {}
        self._told: dict[tuple[str, Labels], float] = {}
        self.in_flight = 0

    def answered(self, route: str | None, method: str, status: int, seconds: float) -> None:
        """Count one request. `route`: the template of its path, never the path; None if no route has it."""
        try:
            observe = self._observe[route, method, status]
        except KeyError:
            known = method if method in _METHODS else "other"
            labels = (route or UNMATCHED, known, f"{status // 100}xx" if status else "aborted")
            observe = self._requests.labels(*labels).observe
            if method == known:  # others are the client's own words: no end of them
                self._observe[route, method, status] = observe
        observe(seconds)

    def counter(self, name: str, text: str, *labels: str) -> None:
        """Declare what only grows."""
        made = self._library.Counter(name, text, labels, registry=self._registry)
        self._counters[name] = made

    def gauge(self, name: str, text: str, *labels: str, summed: bool = True) -> None:
        """Declare what goes up and down; over all processes it is `summed`, or the last that one of them said."""
        mode = "livesum" if summed else "livemostrecent"
        made = self._library.Gauge(name, text, labels, registry=self._registry, multiprocess_mode=mode)
        self._gauges[name] = made

    def grown(self, name: str, totals: Mapping[Labels, float]) -> None:
        """Bring a counter to these totals of this process, by label values."""
        for labels, total in totals.items():
            before = self._told.get((name, labels), 0)
            _child(self._counters[name], labels).inc(total - before)
            self._told[name, labels] = total

    def add(self, name: str, *labels: str) -> None:
        """Count one."""
        _child(self._counters[name], labels).inc()

    def level(self, name: str, value: float, *labels: str) -> None:
        """Set a gauge."""
        _child(self._gauges[name], labels).set(value)

    @property
    def shared(self) -> bool:
        """Whether other processes tell what this one has counted."""
        return self._shared

    def text(self) -> bytes:
        """Return all of it in Prometheus' text format, of all processes if they share."""
        if not self._shared:
            return self._library.generate_latest(self._registry)
        from prometheus_client.multiprocess import MultiProcessCollector

        everybody = self._library.CollectorRegistry()
        MultiProcessCollector(everybody)
        return self._library.generate_latest(everybody)


def _child(metric: Any, labels: Labels) -> Any:
    return metric.labels(*labels) if labels else metric
