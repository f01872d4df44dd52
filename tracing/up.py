"""`manage.py up`: the whole of Threadline in one terminal.

Receiving starts first and answers 503 until the database is there; then the database, its tables, the watcher,
and one line once both ports are ready. The parts are `tracing.postgres` and `tracing.supervisor`; Django is
loaded by the children only, because nothing that this process does for its whole life needs it.
"""

import argparse
import contextlib
import http.client
from typing import TYPE_CHECKING, Any

from tracing import database, guarding, ports, settings, stopping, supervisor
from tracing.cluster import locate
from tracing.sentence import Sentence
from tracing.supervisor import Child

if TYPE_CHECKING:
    from tracing import postgres

TICK_S = 0.2
# Together less than the ten seconds in which everything must have ended.
CHILDREN_S = 5.5
DATABASE_S = 2.5
# Children of a run that was killed are ended by the kernel, and may be finishing a request.
PORT_PATIENCE_S = 3.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default=settings.HOST, help="the address to listen on (%(default)s)")
    parser.add_argument("--port", type=port, default=settings.PORT, help="pages (%(default)s)")
    parser.add_argument(
        "--otlp-port", type=port, default=settings.OTLP_PORT, help="OTLP over HTTP (%(default)s)"
    )
    parser.add_argument(
        "--grpc-port", type=port, default=settings.GRPC_PORT, help="OTLP over gRPC (%(default)s)"
    )
    parser.add_argument("--demo", action="store_true", help="play a small shop's traffic")


def run(options: dict[str, Any]) -> None:
    """Everything, until a signal. Raises Sentence when it cannot be started."""
    host = guarding.listening(options["host"])
    flags = {
        "--port": options["port"],
        "--otlp-port": options["otlp_port"],
        "--grpc-port": options["grpc_port"],
    }
    ports.demand_free(host, flags, PORT_PATIENCE_S)
    Run(host, options, say).go()


def say(line: str) -> None:
    # Who reads us may have gone, as `up | head` does; everything else goes on.
    with contextlib.suppress(BrokenPipeError):
        print(line, flush=True)


def port(text: str) -> int:
    found = int(text)
    if not 1 <= found <= 65535:
        raise ValueError(text)
    return found


class Run:
    """One run of everything, from nothing to nothing."""

    def __init__(self, host: str, options: dict[str, Any], say: supervisor.Say) -> None:
        self.host, self.options, self.say = host, options, say
        self.stop = stopping.event()
        self.database: postgres.Server | None = None
        numbers = {
            "PORT": options["port"],
            "OTLP_PORT": options["otlp_port"],
            "GRPC_PORT": options["grpc_port"],
        }
        self.environ = supervisor.environ_for(settings.HOME, host, numbers)
        self.children: list[Child] = []

    def go(self) -> None:
        try:
            self.bring_up()
            while not self.stop.wait(TICK_S):
                self.tend()
        except Sentence:
            if not self.stop.is_set():
                raise
        finally:
            supervisor.end(self.children, CHILDREN_S)
            if self.database:
                self.database.stop(DATABASE_S)

    def bring_up(self) -> None:
        self.begin("collect", "--wait")
        self.begin("pages", "--wait")
        if settings.EMBEDDED:
            self.own_database()
        else:
            demand_database()
        self.migrate()
        if not self.stop.is_set():
            guarding.demand_people()
        self.begin("watch", "--wait")
        self.await_ready()
        if self.stop.is_set():
            return
        if warning := guarding.warning():
            self.say(warning)
        self.say(
            f"Threadline is ready: pages {self.address('port')}, OTLP/HTTP {self.address('otlp_port')}, "
            f"OTLP/gRPC {self.address('grpc_port')}"
        )
        if self.options["demo"]:
            self.begin("demo", "--own-key", once=True)

    def own_database(self) -> None:
        from tracing import postgres  # takes a moment to load, in which the children load theirs

        self.database = postgres.Server(locate(settings.HOME), cancelled=self.stop)
        self.database.start()

    def begin(self, *words: str, once: bool = False) -> Child:
        started = Child(words, self.environ, once=once)
        self.children.append(started)
        started.start()
        return started

    def migrate(self) -> None:
        """In a process of its own, so that this one stays small."""
        migrating = self.begin("migrate", "--verbosity=0", once=True)
        while not migrating.ended() and not self.stop.wait(0.05):
            pass
        self.children.remove(migrating)
        assert migrating.process is not None
        if self.stop.is_set():
            supervisor.end([migrating], 1.0)
        elif migrating.process.returncode:
            raise Sentence("The tables could not be brought up to date: what went wrong is said above.")

    def await_ready(self) -> None:
        waiting = [self.options["otlp_port"], self.options["port"]]
        while waiting and not self.stop.wait(0.05):
            self.tend()
            waiting = [number for number in waiting if not ready(self.host, number)]

    def tend(self) -> None:
        """Put right what went wrong since the last look."""
        if self.database:
            self.heal(self.database)
        for one in list(self.children):
            one.check(self.say)
            if one.finished:
                self.children.remove(one)
                self.follow(one)

    def heal(self, server: "postgres.Server") -> None:
        try:
            if done := server.heal():
                self.say(done)
        except Sentence as error:
            if not self.stop.is_set():
                self.say(str(error))
                self.stop.wait(2.0)

    def follow(self, ended: Child) -> None:
        """The demo's history is told; from here on its shop lives."""
        assert ended.process is not None
        if ended.process.returncode:
            self.say(f"The demo ended ({supervisor.how(ended.process.returncode)}); everything else goes on.")
        else:
            self.begin("demo", "--own-key", "--live")

    def address(self, name: str) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.options[name]}"


def demand_database() -> None:
    """Raises Sentence when the database named by DATABASE_URL does not answer, or is too old."""
    import psycopg

    where = settings.DATABASES["default"]
    try:
        with psycopg.connect(database.conninfo(where)) as connection:
            version = connection.info.server_version // 10_000
    except psycopg.OperationalError as error:
        reason = (str(error).strip().splitlines() or ["no reason given"])[0]
        raise Sentence(
            f"The database {database.described(where)} does not answer ({reason}): "
            "start it, or correct DATABASE_URL (unset, Threadline brings its own)."
        ) from None
    if version < 15:
        raise Sentence(f"PostgreSQL {version} is too old: Threadline needs 15 or newer.")


def ready(host: str, number: int) -> bool:
    connection = http.client.HTTPConnection(host, number, timeout=3)
    try:
        connection.request("GET", "/readyz", headers={"Host": "localhost"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
