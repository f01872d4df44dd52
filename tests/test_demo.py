"""The demo: the same seed sends the same bytes, and after loading every story is there, once.

Determinism is tested on the exporters' own requests; the rest through the running product.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from tests.product import ROOT, free_ports
from tracing.demo import anchor, jobs
from tracing.demo.cast import Endpoints, Exporters, Shop
from tracing.demo.history import History, Run
from tracing.demo.outbox import Outbox
from tracing.demo.post import NotDelivered, Post
from tracing.demo.scene import Scene

ANCHOR_NS = 1_795_400_000_000_000_000
DAY_NS = 86_400_000_000_000
ORDERS = 12
SEED = 7


class KeptSpans(SpanExporter):
    """Keeps the very bytes an exporter would send."""

    def __init__(self, kept: list[bytes]) -> None:
        self.kept = kept

    def export(self, spans: Sequence[Any]) -> SpanExportResult:
        self.kept.append(encode_spans(spans).SerializeToString(deterministic=True))
        return SpanExportResult.SUCCESS


class KeptLogs(LogRecordExporter):
    """The same for logs."""

    def __init__(self, kept: list[bytes]) -> None:
        self.kept = kept

    def export(self, batch: Sequence[Any]) -> LogRecordExportResult:
        self.kept.append(encode_logs(batch).SerializeToString(deterministic=True))
        return LogRecordExportResult.SUCCESS

    def shutdown(self) -> None:
        self.kept.append(b"")

    def force_flush(self, timeout_millis: int = 10_000) -> bool:
        return True


class Kept(Endpoints):
    """Endpoints that keep what they are given, in `requests`."""

    requests: list[bytes]

    def over_http(self) -> Exporters:
        return KeptSpans(self.requests), KeptLogs(self.requests)

    over_grpc = over_http


def keeping() -> Kept:
    kept = Kept("", "", "production")
    object.__setattr__(kept, "requests", [])
    return kept


def requests_of(run: Run) -> list[bytes]:
    kept = keeping()
    post = Post()
    History(run, kept, post).play(lambda _: None)
    post.close()
    return sorted(kept.requests)


def played(run: Run) -> tuple[list[bytes], list[bytes]]:
    """What the demo's history sends of spans, and of logs."""
    spans: list[bytes] = []
    logs: list[bytes] = []

    class Parted(Endpoints):
        def over_http(self) -> Exporters:
            return KeptSpans(spans), KeptLogs(logs)

        over_grpc = over_http

    post = Post()
    History(run, Parted("", "", "production"), post).play(lambda _: None)
    post.close()
    return sorted(body for body in spans if body), sorted(body for body in logs if body)


def test_the_same_seed_sends_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "INVOICED", 20)
    monkeypatch.setattr(jobs, "REINDEXED", 400)
    run = Run(ANCHOR_NS, SEED, orders=30)
    first = requests_of(run)
    time.sleep(0.01)
    assert requests_of(run) == first
    assert requests_of(Run(ANCHOR_NS, SEED + 1, orders=30)) != first
    assert len(first) > 30


@pytest.mark.parametrize("size", [2, 200, 201, 1_000])
def test_the_reindex_has_exactly_the_spans_it_promises(size: int) -> None:
    kept = keeping()
    outbox = Outbox(Post())
    shop = Shop(Scene("count"), outbox, kept)
    shop.scene.begin("reindex", ANCHOR_NS)
    jobs.reindexed(shop, "reindex-1", size)
    outbox.finish()
    outbox.post.close()
    sent = [ExportTraceServiceRequest.FromString(body) for body in kept.requests]
    spans = [s for one in sent for r in one.resource_spans for scope in r.scope_spans for s in scope.spans]
    assert len(spans) == size
    assert len({span.trace_id for span in spans}) == 1


def test_an_anchor_is_kept_until_retention_has_taken_its_history(tmp_path: Path) -> None:
    home = tmp_path / "home"
    first = anchor.remembered(home, 1, ANCHOR_NS + 59, 14, 48)
    assert first == anchor.Anchor(ANCHOR_NS // 60_000_000_000 * 60_000_000_000)
    assert anchor.remembered(home, 1, ANCHOR_NS + 14 * DAY_NS, 14, 48) == first
    later = anchor.remembered(home, 1, ANCHOR_NS + 19 * DAY_NS, 14, 48)
    assert (later.era, later.anchor_ns > first.anchor_ns) == (1, True)
    assert anchor.remembered(home, 2, ANCHOR_NS, 14, 48).era == 0
    anchor.remember_sent(home, 1, later, "5/48")
    assert anchor.remembered(home, 1, ANCHOR_NS + 20 * DAY_NS, 14, 48).sent == ("5/48",)


def test_a_damaged_anchor_is_said_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "demo-1.json").write_text("{}")
    with pytest.raises(OSError, match=r"demo-1\.json does not hold"):
        anchor.remembered(tmp_path, 1, ANCHOR_NS, 14, 48)


@pytest.mark.parametrize("other", [Run(1, seed=2), Run(1, era=1), Run(1, orders=50), Run(1, hours=47)])
def test_histories_of_other_sizes_have_other_orders(other: Run) -> None:
    usual = Run(1)
    assert other.first_number != usual.first_number
    assert (other.story_base == usual.story_base) == ((other.seed, other.era) == (1, 0))


def test_what_cannot_be_delivered_is_said() -> None:
    post = Post()
    refuses = KeptSpans([])
    refuses.export = lambda spans: SpanExportResult.FAILURE  # type: ignore[method-assign]
    post.send("shop", refuses.export, [1, 2])
    with pytest.raises(NotDelivered, match="shop could not deliver 2 records"):
        post.settle()
    post.close()


@pytest.mark.parametrize("word", ["--orders=0", "--hours=-1", "--orders=many", "--seed=x"])
def test_a_bad_argument_is_a_sentence(word: str) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "demo", word], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_nobody_listening_is_a_sentence(tmp_path: Path) -> None:
    port = str(free_ports(1)[0])
    more = {"THREADLINE_OTLP_PORT": port, "THREADLINE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "demo"],
        cwd=ROOT,
        env=dict(os.environ) | more,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"Nothing listens on 127.0.0.1:{port}: start Threadline")
    assert not list(tmp_path.iterdir())
