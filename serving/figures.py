"""What a service counts, as Prometheus reads it."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250)


class Figures:
    """Counters of one service."""

    def __init__(self) -> None:
        self._all = CollectorRegistry()
        self.requests = Counter(
            "hiresldm_requests", "Answers, by status.", ["status"], registry=self._all
        )
        self.seconds = Histogram(
            "hiresldm_request_seconds",
            "From the first byte of a recording to the last one of the answer.",
            buckets=_SECONDS,
            registry=self._all,
        )
        self.audio_s = Counter(
            "hiresldm_audio_seconds", "Audio that was restored.", ["way"], registry=self._all
        )
        self.inside = Gauge(
            "hiresldm_recordings", "Recordings that wait or are restored.", registry=self._all
        )
        self.streams = Gauge("hiresldm_streams", "Live streams.", registry=self._all)

    def text(self) -> bytes:
        """All of them in the text format."""
        return generate_latest(self._all)
