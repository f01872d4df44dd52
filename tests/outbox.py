"""What the tests of notifications put into the tables: channels, routes, problems, flips; and what they read back."""

import itertools
import time
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from tracing import clock
from tracing.lengths import SECOND_NS
from tracing.people import Channel, Follow, Route
from tracing.watch import channels, telling
from tracing.watch.sending import Sending

PROBLEM = b"problem-0001"
MINUTE = 60
_serial = itertools.count()


class Watch:
    """A watcher's two duties and a clock that the test moves."""

    def __init__(self, connection: psycopg.Connection, clock: "Time") -> None:
        self.connection = connection
        self.time = clock
        self.sending = Sending()
        # Apprise loads its services once a process, which takes a second.
        channels.check("json://hooks.example.com", False)

    def tell(self, after_s: float = 0) -> None:
        self.time.pass_s(after_s)
        while telling.work(self.connection):
            pass

    def send(self, after_s: float = 0, patience_s: float = 5.0) -> None:
        """All that is due, answers awaited; with a short patience those who hang are left behind."""
        self.time.pass_s(after_s)
        until = time.monotonic() + patience_s
        while self.sending.work(self.connection) or (
            self.sending.threads.running and time.monotonic() < until
        ):
            time.sleep(0.005)

    def both(self, after_s: float = 0) -> None:
        self.tell(after_s)
        self.send()

    def messages(self, columns: str = "phase, state", **where: Any) -> list[tuple[Any, ...]]:
        question = f"SELECT {columns} FROM message WHERE true"
        for name in where:
            question += f" AND {name} = %({name})s"
        rows = self.connection.execute(f"{question} ORDER BY at_ns, message_id".encode(), where).fetchall()
        return [tuple(row) for row in rows]

    def flip(self, before: str | None, after: str, **more: Any) -> bytes:
        """A flip of the problem, or with `flow_id` of a flow; a problem's row says the same state."""
        now = clock.now_ns()
        values: dict[str, Any] = {
            "flip_id": f"flip-{next(_serial)}".encode(), "flow_id": None, "problem_id": PROBLEM, "at_ns": now,
            "judged_ns": now, "before": before, "after": after, "step": None, "system": None,
            "sentence": "It waits.",
        }  # fmt: skip
        if "flow_id" in more:
            values["problem_id"] = None
        insert(self.connection, "flip", values | more)
        if values["problem_id"] is not None:
            self.change(state=after, problem_id=more.get("problem_id", PROBLEM))
        return bytes(values["flip_id"])

    def problem(self, **more: Any) -> None:
        now = clock.now_ns()
        values = {
            "problem_id": PROBLEM, "kind": "late", "type": "order", "environment": "production",
            "step": "paid", "system": "wms", "title": "22 orders wait for shipment.created from wms",
            "why": "97 % of 412 orders passed this point within 14 min.", "severity": 3, "state": "forming",
            "flows": 22, "all_flows": 22, "first_ns": now, "last_ns": now, "opened_ns": now,
            "evidence": Jsonb({}), "checked_ns": now,
        } | more  # fmt: skip
        values.setdefault("identity", values["problem_id"])
        insert(self.connection, "problem", values)

    def change(self, problem_id: bytes = PROBLEM, **more: Any) -> None:
        for name, value in more.items():
            self.connection.execute(
                f"UPDATE problem SET {name} = %s WHERE problem_id = %s".encode(), (value, problem_id)
            )


class Time:
    """The clock of a test, in a file that `tracing.clock` follows."""

    def __init__(self, path: Any, now_ns: int) -> None:
        self.path, self.now_ns = path, now_ns
        clock.set_file(path, now_ns)
        clock.follow(path)

    def pass_s(self, seconds: float) -> None:
        self.now_ns += int(seconds * SECOND_NS)
        clock.set_file(self.path, self.now_ns)


def insert(connection: psycopg.Connection, table: str, values: dict[str, Any]) -> None:
    names = ", ".join(values)
    places = ", ".join(f"%({name})s" for name in values)
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({places})".encode(), values)


def channel(label: str, address: str, **more: Any) -> Channel:
    return Channel.objects.create(label=label, address=address, **more)


def routed(label: str, address: str, **more: Any) -> Channel:
    """A channel and a route that leads to it."""
    made = channel(label, address)
    Route.objects.create(channel=made, **more)
    return made


def follow(flow_id: bytes, to: Channel) -> Follow:
    return Follow.objects.create(flow_id=flow_id, channel=to, name="ann", since_ns=clock.now_ns())
