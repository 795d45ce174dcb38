"""What Prometheus is told: counts and times, never a text."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from medloom.serve.lifecycle import Lifecycle

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_TOKENS = (16, 64, 256, 512, 1_024, 2_048, 4_096, 8_192, 16_384)


class Metrics:
    """The counters of one server.

    Args:
        lifecycle: Knows how many requests are in work.
    """

    def __init__(self, lifecycle: Lifecycle) -> None:
        self.registry = CollectorRegistry()
        one = self.registry
        self._requests = Counter("medloom_requests_total", "Requests answered", ["method", "route", "status"], registry=one)
        self._seconds = Histogram(
            "medloom_request_seconds", "Time to the end of an answer", ["route"], buckets=_SECONDS, registry=one
        )
        in_work = Gauge("medloom_requests_in_work", "Requests being answered", registry=one)
        in_work.set_function(lambda: lifecycle.in_work)
        self._queue_texts = Gauge("medloom_queue_texts", "Texts that wait", ["model"], registry=one)
        self._queue_tokens = Gauge("medloom_queue_tokens", "Tokens that wait", ["model"], registry=one)
        self._batch_texts = Histogram("medloom_batch_texts", "Texts in a batch", ["model"], buckets=_SIZES, registry=one)
        self._batch_tokens = Histogram("medloom_batch_tokens", "Tokens in a batch", ["model"], buckets=_TOKENS, registry=one)
        self._batch_seconds = Histogram(
            "medloom_batch_seconds", "Time of a batch", ["model"], buckets=_SECONDS, registry=one
        )
        self._tokens = Counter("medloom_tokens_total", "Tokens read for clients", ["model"], registry=one)
        self._cut = Counter("medloom_truncated_texts_total", "Texts cut to the model's length", ["model"], registry=one)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request has ended.

        Args:
            method: Of the request.
            route: The path's template.
            status: Of the answer; 499 if the client was gone before it.
            seconds: Since it began.
        """
        self._requests.labels(method if method in _METHODS else "other", route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def waiting(self, model: str, texts: int, tokens: int) -> None:
        """What waits for a model now."""
        self._queue_texts.labels(model).set(texts)
        self._queue_tokens.labels(model).set(tokens)

    def batch(self, model: str, texts: int, tokens: int, seconds: float) -> None:
        """A batch is done."""
        self._batch_texts.labels(model).observe(texts)
        self._batch_tokens.labels(model).observe(tokens)
        self._batch_seconds.labels(model).observe(seconds)

    def read(self, model: str, tokens: int, cut: int) -> None:
        """A request's texts have been read."""
        self._tokens.labels(model).inc(tokens)
        self._cut.labels(model).inc(cut)

    def page(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self.registry)
