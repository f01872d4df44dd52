"""Spans as fast as they are taken, for minutes: requests made once, whose ids and times are replaced before each sending.

The same spans as `traffic`: a request is 64 traces of 8 spans, each trace about an order of its own. To make them anew
would cost more than to receive them.
"""

import http.client
import random
import re
import threading
import time

import numpy as np

from tests.bench.traffic import SPANS_A_BATCH, SPANS_A_TRACE, request

CONNECTIONS = 2
FRESH_S = 20.0
DIGITS = 9


class Template:
    """A request's bytes, and where its traces' ids and orders stand."""

    def __init__(self, source: random.Random) -> None:
        message = request(source, time.time_ns())
        spans = message.resource_spans[0].scope_spans[0].spans
        for span in spans:
            for pair in span.attributes:
                if pair.key == "order.id":
                    pair.value.string_value = pair.value.string_value.zfill(DIGITS)
        raw = message.SerializeToString()
        self.bytes = np.frombuffer(raw, dtype=np.uint8).copy()
        self.traces = [_places(raw, span.trace_id, 16) for span in spans[::SPANS_A_TRACE]]
        orders = [
            next(one.value.string_value for one in span.attributes if one.key == "order.id")
            for span in spans[::SPANS_A_TRACE]
        ]
        self.orders = [_places(raw, order.encode(), DIGITS) for order in orders]

    def body(self, source: np.random.Generator) -> bytes:
        for places in self.traces:
            self.bytes[places] = source.integers(0, 256, 16, dtype=np.uint8)
        for places in self.orders:
            self.bytes[places] = source.integers(48, 58, DIGITS, dtype=np.uint8)
        return self.bytes.tobytes()


def _places(raw: bytes, text: bytes, length: int) -> "np.ndarray[tuple[int, int], np.dtype[np.int64]]":
    starts = np.array([found.start() for found in re.finditer(re.escape(text), raw)])
    places: np.ndarray[tuple[int, int], np.dtype[np.int64]] = starts[:, None] + np.arange(length)
    return places


def rate(port: int, seconds: float) -> float:
    """Accepted spans a second over that time."""
    counts = [0] * CONNECTIONS
    threads = [
        threading.Thread(target=_send, args=(port, seconds, counts, place)) for place in range(CONNECTIONS)
    ]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) * SPANS_A_BATCH / (time.perf_counter() - began)


def _send(port: int, seconds: float, counts: list[int], place: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    source = np.random.default_rng()
    until, fresh_at, template = time.monotonic() + seconds, time.monotonic(), Template(random.Random())
    while time.monotonic() < until:
        if time.monotonic() - fresh_at > FRESH_S:
            template, fresh_at = Template(random.Random()), time.monotonic()
        body = template.body(source)
        connection.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
        with connection.getresponse() as answer:
            text = answer.read()
            if answer.status == 503:
                time.sleep(0.1)
                continue
            assert answer.status == 200 and not text, (answer.status, text)
        counts[place] += 1
