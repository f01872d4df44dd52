"""Real Celery with OpenTelemetry's own instrumentation: tasks that are tried again, that fail, and that are lost.

`tests.celery_shop` is the mail room; here its broker (Debian's redis-server), its worker and its desk are processes of
their own that send to the running product, and the worker is killed while a retry is promised.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.asking import as_json, ask, every_row
from tests.product import ROOT, Running, environ, free_ports

PATIENCE_S = 60
S = 1_000_000_000
WORKER = (
    "-A tests.celery_shop.app worker --concurrency=1 --without-gossip --without-mingle --without-heartbeat"
)
_STANDING = """
SELECT e.verdict, e.source, e.reason, e.awaited_step, e.awaited_system, e.evidence, e.late_ns FROM expectation e
JOIN flow f USING (flow_id) WHERE f.key = %s
"""
_PROBLEMS = """
SELECT p.kind, p.type, p.step, p.system, p.opened_ns FROM problem p JOIN problem_flow USING (problem_id)
JOIN flow f USING (flow_id) WHERE f.key = %s AND p.state <> 'resolved'
"""


def redis_server() -> str:
    """Debian's redis-server; without one the test is skipped, but not where the checks count."""
    found = shutil.which("redis-server")
    if found is None:
        sentence = "no redis-server: apt-get install redis-server"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
    return found


@contextlib.contextmanager
def process(command: list[str], env: Mapping[str, str], folder: Path, name: str) -> Iterator[int]:
    """A process and whatever it forks, killed with the block; its id. What it printed is in `folder`."""
    with (folder / f"{name}.log").open("wb") as output:
        started = subprocess.Popen(
            command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
    try:
        yield started.pid
    finally:
        kill(started.pid)
        started.wait(PATIENCE_S)


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


@contextlib.contextmanager
def mail_room(running: Running) -> Iterator[tuple[dict[str, str], int]]:
    """Broker and worker: the environment in which tasks are handed in, and the worker's process id."""
    server = redis_server()
    with tempfile.TemporaryDirectory(prefix="threadline-celery-") as made, contextlib.ExitStack() as room:
        folder, port = Path(made), free_ports(1)[0]
        broker = [server, "--bind", "127.0.0.1", "--port", str(port), "--dir", made, "--save", ""]
        room.enter_context(process(broker, {}, folder, "broker"))
        env = environ(folder) | {
            "BROKER_URL": f"redis://127.0.0.1:{port}/0",
            "OTEL_EXPORTER_OTLP_ENDPOINT": running.otlp,
            "OTEL_BSP_SCHEDULE_DELAY": "200",
        }
        worker = [sys.executable, "-m", "celery", *WORKER.split()]
        named = env | {"OTEL_SERVICE_NAME": "mail-room"}
        yield (
            env | {"OTEL_SERVICE_NAME": "mail-desk"},
            room.enter_context(process(worker, named, folder, "worker")),
        )


def handed_in(env: Mapping[str, str], order: str) -> dict[str, str]:
    """The task ids by name, once all but the last have ended."""
    desk = [sys.executable, "-m", "tests.celery_shop.desk", order]
    done = subprocess.run(desk, cwd=ROOT, env=env, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    return dict(line.split() for line in done.stdout.splitlines())


def until(done: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while not (found := done()):
        assert time.monotonic() < deadline, f"still {found!r} after {PATIENCE_S} s"
        time.sleep(0.1)
    return found


class Told:
    """What the product says of one task."""

    def __init__(self, running: Running, connection: psycopg.Connection, name: str, key: str) -> None:
        self._url, self._connection, self._key = running.url, connection, key
        self.path = f"/flow/workflow/{name}/{key}"

    def state(self) -> str | None:
        status, _, _ = ask(self._url, self.path)
        return None if status == 404 else as_json(self._url, self.path)["flow"]["state"]

    def flow(self, *names: str) -> list[Any]:
        flow = as_json(self._url, self.path)["flow"]
        return [flow[name] for name in names]

    def tries(self) -> list[tuple[Any, ...]]:
        """The task's runs, folded as the page shows them: kind of row, how many, what is said of them."""
        rows = as_json(self._url, self.path)["rows"]
        return [
            (row["row"], row["count"], row["status"]) for row in rows if str(row["name"]).startswith("run/")
        ]

    def states(self) -> list[str]:
        rows = every_row(self._url, self.path)
        told = [(int(row["start"]), row["name"]) for row in rows if row["row"] == "transition"]
        return [name for _, name in sorted(told)]

    def standing(self) -> tuple[Any, ...]:
        return self._one(_STANDING) or (None,) * 7

    def problem(self) -> tuple[Any, ...] | None:
        return self._one(_PROBLEMS)

    def _one(self, question: str) -> tuple[Any, ...] | None:
        return self._connection.execute(question.encode(), (self._key,)).fetchone()


def test_tasks_that_are_tried_again_fail_and_are_lost(running: Running) -> None:
    with (
        mail_room(running) as (env, worker),
        psycopg.connect(running.conninfo, autocommit=True) as connection,
    ):
        ids = handed_in(env, f"celery-{uuid.uuid4().hex[:8]}")
        told = {name: Told(running, connection, name, key) for name, key in ids.items()}
        until(lambda: told["mail.newsletter"].state() == "RETRY")
        kill(worker)
        went_well(told["mail.receipt"])
        was_tried_twice(told["mail.reminder"])
        failed(told["mail.invoice"])
        was_lost(told["mail.newsletter"])


def went_well(receipt: Told) -> None:
    assert receipt.flow("state", "spans", "retries", "errors") == ["SUCCESS", 2, 0, 0]
    assert receipt.tries() == [("span", None, "unset")]
    until(lambda: receipt.standing()[0] == "ended")
    assert (receipt.standing()[5], receipt.problem()) == ({"end": "good"}, None)


def was_tried_twice(reminder: Told) -> None:
    assert reminder.flow("state", "spans", "retries", "chapters") == ["SUCCESS", 4, 1, 1]
    # Celery nests the second try below the first, which published it: one row with both.
    assert reminder.tries() == [("retries", 2, "ok")]
    assert reminder.states() == ["RETRY", "SUCCESS"]
    until(lambda: reminder.standing()[0] == "ended")
    assert (reminder.standing()[5], reminder.problem()) == ({"end": "good"}, None)


def failed(invoice: Told) -> None:
    assert invoice.flow("state", "status") == ["FAILURE", "error"]
    assert invoice.states() == ["FAILURE"]
    until(lambda: invoice.standing()[0] == "ended")
    assert invoice.standing()[5] == {"end": "bad"}
    kind, type, step, system, _ = until(invoice.problem)
    assert (kind, type, step, system) == ("failed", "mail.invoice", "run/mail.invoice", "mail-room")


def was_lost(newsletter: Told) -> None:
    until(lambda: newsletter.standing()[0] == "stuck")
    _, source, reason, step, system, evidence, late_ns = newsletter.standing()
    assert (source, reason, step, system) == ("stated", "retry", "run/mail.newsletter", "mail-room")
    assert (evidence["operation"], evidence["attempt"]) == ("run/mail.newsletter", 2)
    assert evidence["by_ns"] < late_ns < evidence["by_ns"] + 3 * S
    problem = until(newsletter.problem)
    assert problem == ("abandoned_retry", "mail.newsletter", step, system, late_ns)
    assert (newsletter.states(), newsletter.tries()) == (["RETRY"], [("span", None, "unset")])
