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
from urllib.parse import urlsplit

import pytest

from tests.asking import as_json, ask, every_row
from tests.product import ROOT, Running, environ, free_ports

PATIENCE_S = 60
S = 1_000_000_000
WORKER = (
    "-A tests.celery_shop.app worker --concurrency=1 --without-gossip --without-mingle --without-heartbeat"
)


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

    def __init__(self, running: Running, name: str, key: str) -> None:
        self._url = running.url
        self.path = f"/flow/workflow/{name}/{key}"

    def state(self) -> str | None:
        """None while nothing of the task has come."""
        status, _, _ = ask(self._url, self.path)
        return None if status == 404 else str(self.flow("state")[0])

    def flow(self, *names: str) -> list[Any]:
        flow = as_json(self._url, self.path)["flow"]
        return [flow[name] for name in names]

    def rows(self, name: str) -> list[tuple[Any, ...]]:
        """Rows of that name, folded as the page shows them: kind, how many, status."""
        rows = as_json(self._url, self.path)["rows"]
        return [(row["row"], row["count"], row["status"]) for row in rows if row["name"] == name]

    def states(self) -> list[str]:
        rows = every_row(self._url, self.path)
        told = [(int(row["start"]), row["name"]) for row in rows if row["row"] == "transition"]
        return [name for _, name in sorted(told)]

    def problem(self) -> list[Any]:
        """Of the one problem the task is part of, once it is: kind, type, step, system and since when."""
        (told,) = until(lambda: self.flow("problems")[0])
        found = as_json(self._url, urlsplit(told["url"]).path)["problem"]
        return [found[name] for name in ("kind", "type", "step", "system", "opened")]


def test_tasks_that_are_tried_again_fail_and_are_lost(running: Running) -> None:
    with mail_room(running) as (env, worker):
        ids = handed_in(env, f"celery-{uuid.uuid4().hex[:8]}")
        told = {name: Told(running, name, key) for name, key in ids.items()}
        until(lambda: told["mail.newsletter"].state() == "RETRY")
        kill(worker)
        went_well(told["mail.receipt"])
        was_tried_twice(told["mail.reminder"])
        failed(told["mail.invoice"])
        was_lost(told["mail.newsletter"])


def went_well(receipt: Told) -> None:
    assert receipt.flow("state", "spans", "retries", "errors") == ["SUCCESS", 2, 0, 0]
    assert receipt.rows("run/mail.receipt") == [("span", None, "unset")]
    until(lambda: receipt.flow("verdict", "problems") == ["ended", []])


def was_tried_twice(reminder: Told) -> None:
    assert reminder.flow("state", "spans", "retries", "chapters") == ["SUCCESS", 4, 1, 1]
    # Celery nests the second try below the first, which published it: one row with both.
    assert reminder.rows("run/mail.reminder") == [("retries", 2, "ok")]
    assert reminder.states() == ["RETRY", "SUCCESS"]
    until(lambda: reminder.flow("verdict", "problems") == ["ended", []])


def failed(invoice: Told) -> None:
    assert invoice.flow("state", "status") == ["FAILURE", "error"]
    assert invoice.states() == ["FAILURE"]
    assert invoice.problem()[:4] == ["failed", "mail.invoice", "run/mail.invoice", "mail-room"]
    assert invoice.flow("verdict") == ["ended"]


def was_lost(newsletter: Told) -> None:
    """Its only try was the one that promised another, and what would say that nothing came is dead."""
    run = "run/mail.newsletter"
    until(lambda: newsletter.flow("verdict") == ["stuck"])
    (waits,) = newsletter.flow("waiting_for")
    assert (waits["step"], waits["service"], waits["source"]) == (run, "mail-room", "stated")
    assert f"would try `{run}` again by" in waits["why"]
    assert "(attempt 2); nothing came" in waits["why"]
    *kind, opened = newsletter.problem()
    assert kind == ["abandoned_retry", "mail.newsletter", run, "mail-room"]
    # Dated to when it was late, however much later that was seen.
    assert 0 < int(opened) - int(waits["expected_at"]) < 3 * S
    assert (newsletter.states(), newsletter.rows(run)) == (["RETRY"], [("span", None, "unset")])
    assert newsletter.rows(f"{run}, tried again") == [("ghost", None, "open")]
