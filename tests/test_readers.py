"""Files as others read them: Jaeger's own model and the OpenTelemetry collector's, in Go, take all that we write.

The program is `tests/readers/go`, built by `tests.toolchains`; it compiles for a minute:
`pytest -m slow tests/test_readers.py`.
"""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.test import Client

from tests.test_files import FILLED, paths, short_jobs, take
from tests.toolchains import installed
from tracing.storing import Store

__all__ = ["short_jobs"]  # the demo's, for every test here too

pytestmark = pytest.mark.slow
SOURCE = Path(__file__).parent / "readers" / "go"


@pytest.fixture(scope="module")
def reader() -> Path:
    files = ("go.mod", "go.sum", "reader.go")
    return installed(SOURCE, files, ["go", "build", "-o", "reader", "."]) / "reader"


def understood(reader: Path, form: str, content: bytes, tmp_path: Path) -> list[Any]:
    (tmp_path / "file.json").write_bytes(content)
    ended = subprocess.run([str(reader), form, str(tmp_path / "file.json")], capture_output=True, timeout=60)
    assert ended.returncode == 0, ended.stderr.decode()
    return [orjson.loads(line) for line in ended.stdout.splitlines()]


@FILLED
def test_jaeger_reads_what_we_write(
    client: Client, store: Store, conninfo: str, reader: Path, tmp_path: Path, fill: Callable[[Store], None]
) -> None:
    fill(store)
    for path in paths(conninfo):
        content = take(client, path, "jaeger")
        (answer,) = understood(reader, "jaeger", content, tmp_path)
        assert in_jaegers_words(answer) == in_jaegers_words(orjson.loads(content))


def in_jaegers_words(answer: Any) -> Any:
    """With processes in their spans: Jaeger numbers them anew, and writes ids without leading zeros."""
    return [
        [_span(span, trace["processes"]) for span in trace["spans"]] + [trace["warnings"]]
        for trace in answer["data"]
    ]


def _span(span: Any, processes: Any) -> Any:
    process = processes[span["processID"]]
    references = [one | {"traceID": one["traceID"].rjust(32, "0")} for one in span["references"]]
    return span | {
        "traceID": span["traceID"].rjust(32, "0"),
        "flags": span.get("flags", 0),
        "references": references,
        "processID": [process["serviceName"], sorted(process["tags"], key=repr)],
        "warnings": None,
    }


@FILLED
def test_the_collector_reads_what_we_write(
    client: Client, store: Store, conninfo: str, reader: Path, tmp_path: Path, fill: Callable[[Store], None]
) -> None:
    fill(store)
    for path in paths(conninfo):
        content = take(client, path, "otlp")
        told = orjson.loads(content)
        spans, logs = understood(reader, "otlp", content, tmp_path)
        assert plain(spans.get("resourceSpans", [])) == plain(told["resourceSpans"])
        assert plain(logs.get("resourceLogs", [])) == plain(told["resourceLogs"])


def plain(told: Any) -> Any:
    """Without what is the default: who writes it and who leaves it out say the same."""
    if isinstance(told, dict):
        found = {name: plain(value) for name, value in told.items()}
        return {name: value for name, value in found.items() if value not in ("", 0, None, [], {}, "0")}
    return [plain(one) for one in told] if isinstance(told, list) else told
