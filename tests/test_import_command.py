"""`manage.py import` as people run it: what it prints, what it stores, and one sentence where it cannot."""

import gzip
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest

from tests.otlp_bodies import as_json, log, logs, span, traces
from tests.product import ROOT
from tests.tables import ask, one


@pytest.fixture
def database(conninfo: str) -> dict[str, str]:
    """The environment of a process that uses the test's database."""
    from django.db import connection

    told = connection.settings_dict
    url = f"postgresql://{told['USER']}@/{told['NAME']}?host={told['HOST']}"
    if os.environ.get("DATABASE_URL"):
        url = os.environ["DATABASE_URL"].rpartition("/")[0] + f"/{told['NAME']}"
    return os.environ | {"DATABASE_URL": url}


def run(environ: dict[str, str], *files: str, stdin: bytes = b"") -> tuple[int, str, str]:
    ended = subprocess.run(
        [sys.executable, "manage.py", "import", *files],
        cwd=ROOT,
        env=environ,
        input=stdin,
        capture_output=True,
    )
    return ended.returncode, ended.stdout.decode(), ended.stderr.decode()


def lines(count: int) -> bytes:
    return b"".join(
        orjson.dumps(as_json(traces(span({"order.id": "4711"}, span_id=number.to_bytes(8, "big"))))) + b"\n"
        for number in range(1, count + 1)
    )


def test_files_of_every_form(database: dict[str, str], conninfo: str, tmp_path: Path) -> None:
    jaeger = {"data": [{"traceID": "a", "spans": [{"traceID": "a", "spanID": "b", "operationName": "x", "processID": "p",
        "startTime": 1_795_000_000_000_000, "duration": 7}], "processes": {"p": {"serviceName": "s"}}}]}  # fmt: skip
    (tmp_path / "lines").write_bytes(lines(3) + b"garbage\n")
    (tmp_path / "packed").write_bytes(gzip.compress(lines(4)))
    (tmp_path / "jaeger.txt").write_bytes(orjson.dumps(jaeger, option=orjson.OPT_INDENT_2))
    (tmp_path / "array").write_bytes(b"[" + orjson.dumps(as_json(logs(log("said")))) + b"]")
    code, said, _ = run(
        database, *(str(tmp_path / name) for name in ("lines", "packed", "jaeger.txt", "array"))
    )
    assert code == 0
    assert "lines: OTLP JSON, 3 spans and 0 logs read, 3 stored, 0 already there, 1 refused." in said
    assert "refused 1: this is not JSON" in said and "(line 4)" in said
    assert "packed: OTLP JSON, 4 spans and 0 logs read, 1 stored, 3 already there, 0 refused." in said
    assert "jaeger.txt: Jaeger JSON, 1 spans and 0 logs read, 1 stored, 0 already there, 0 refused." in said
    assert "array: OTLP JSON, 0 spans and 1 logs read, 1 stored" in said
    assert "/flow/entity/order/4711" in said
    assert one(conninfo, "SELECT count(*) FROM span") == 5


def test_whoever_reads_what_it_says_may_have_read_enough(database: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "good").write_bytes(lines(1))
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [sys.executable, "manage.py", "import", str(tmp_path / "good")],
        cwd=ROOT, env=database | {"PYTHONUNBUFFERED": "1"}, stdout=writing, stderr=subprocess.PIPE,
    )  # fmt: skip
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_the_standard_input_and_a_file_that_was_cut(database: dict[str, str], conninfo: str) -> None:
    packed = gzip.compress(lines(2_000), 1)
    code, said, _ = run(database, "-", stdin=packed[: len(packed) // 2])
    assert code == 0 and "-: OTLP JSON" in said and "ends in the middle of its gzip packing, after" in said
    stored = one(conninfo, "SELECT count(*) FROM span")
    assert 0 < stored < 2_000


def test_what_cannot_be_read_is_a_sentence(database: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "image.png").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")
    (tmp_path / "good").write_bytes(lines(1))
    missing = str(tmp_path / "none")
    code, said, complaint = run(
        database, missing, str(tmp_path / "image.png"), str(tmp_path), str(tmp_path / "good")
    )
    assert code == 2 and "good: OTLP JSON, 1 spans" in said
    assert complaint.count("\n") == 1 and "Traceback" not in complaint
    assert f"{missing} cannot be read: No such file or directory." in complaint
    assert "image.png cannot be read. It holds neither OTLP JSON nor Jaeger JSON" in complaint
    assert run(database)[0] == 2


def test_a_database_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "good").write_bytes(lines(1))
    environ = os.environ | {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    code, _, complaint = run(environ, str(tmp_path / "good"))
    assert code == 2 and "Traceback" not in complaint and "cannot be reached" in complaint


def test_what_was_stored_before_it_was_stopped_is_in_the_audit(
    database: dict[str, str], conninfo: str
) -> None:
    command = [sys.executable, "manage.py", "import", "-"]
    with subprocess.Popen(
        command, cwd=ROOT, env=database, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL,
        # Tests that were started in the background have it ignored, and so would have what they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as started:  # fmt: skip
        assert started.stdin is not None
        # More than a batch, and what the reader holds back; then it waits for more.
        started.stdin.write(lines(6_000))
        started.stdin.flush()
        for _ in range(300):
            if one(conninfo, "SELECT count(*) FROM span"):
                break
            time.sleep(0.1)
        started.send_signal(signal.SIGINT)
        started.wait(30)
    stored = one(conninfo, "SELECT count(*) FROM span")
    told = ask(conninfo, "SELECT subject, detail FROM tracing_audit WHERE action = 'file imported'")
    assert told == [("-", f"{stored:,} records stored, 0 already there")]
