"""What every test may ask for: a database, a store on it, the pages served, the whole product running.

Without DATABASE_URL the session runs the embedded server in a home of its own, as root or not. Nothing here
stands in for a real part; `tests.product` starts the processes.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from tests import product

if TYPE_CHECKING:
    import psycopg
    from playwright.sync_api import ConsoleMessage, Page
    from pytest_django import DjangoDbBlocker

    from tracing.storing import Store

# How long an example takes says how busy the machine is, not whether the property holds.
hypothesis.settings.register_profile("threadline", deadline=None)
hypothesis.settings.load_profile("threadline")

# Playwright runs an event loop in the tests' thread, and Django would refuse to touch the database beside it.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

# Without windows it starts faster and takes a third less of the processor; either will do.
CHROMIUMS = (Path("/usr/bin/chromium-headless-shell"), Path("/usr/bin/chromium"))
# Whose rows are part of the migrated state; brought back before each test instead of being emptied.
SEEDED = ("installation", "tracing_rule")
# Tables up to this size are emptied row by row; records are not, because pages take samples of their blocks.
FEW_BYTES = 256 * 1024
# Follows the partitions, which stay.
KEPT = (*SEEDED, "day", "django_migrations", "django_content_type", "auth_permission")


# Modules whose tests share a product, which takes seconds to start; `running` is that of several.
TOGETHER = {f"test_{name}.py": name for name in ("faults", "guarding", "oidc", "sharing", "sweep", "up")} | {
    f"test_{name}.py": "running" for name in ("celery", "demo_stories", "protocol", "sdks")
}


class Together(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Each test goes to the next worker that is free, those that share a product to one."""

    def _split_scope(self, nodeid: str) -> str:
        return TOGETHER.get(nodeid.partition("::")[0].rpartition("/")[2], nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    return Together(config, log)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> Iterator[None]:
    from django.db import connection

    # The threads of a test's server must not hold connections when the database is dropped.
    connection.settings_dict["CONN_MAX_AGE"] = 0
    if os.environ.get("DATABASE_URL"):
        yield
        return
    from tracing import postgres

    with tempfile.TemporaryDirectory(prefix="threadline-test-") as home:
        with postgres.running(Path(home), {"fsync": "off"}) as server:
            connection.settings_dict.update(server.cluster.database())
            yield
        shutil.rmtree(server.cluster.folder)


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None, django_db_modify_db_settings: None, django_db_blocker: "DjangoDbBlocker"
) -> Iterator[None]:
    """The migrated test database. pytest-django's own makes it for its marker only, not for `clean_store`."""
    from django.test.utils import setup_databases, teardown_databases

    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False, serialized_aliases=set())
        yield
        end_other_sessions()
        teardown_databases(made, verbosity=0)


def end_other_sessions(busy_only: bool = False) -> None:
    """End sessions that outlive the test that had them: a client is gone before its server process is.

    Such a process may still work or hold a lock, and would meet the next test.
    """
    from django.db import connection

    others = (
        "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND backend_type = 'client backend'"
    )
    if busy_only:
        others += " AND (state <> 'idle' OR pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory'))"
    patience = time.monotonic() + 2
    with connection.cursor() as cursor:
        while True:
            ending = "pg_terminate_backend(pid)" if time.monotonic() > patience else "pid"
            cursor.execute(f"SELECT {ending} {others}")
            if not cursor.fetchall():
                return
            time.sleep(0.02)


@pytest.fixture(scope="session")
def seeded(django_db_setup: None, django_db_blocker: "DjangoDbBlocker") -> None:
    from django.db import connection

    from tracing import guarding

    # What the tests serve themselves, they serve to this machine.
    guarding.listening("127.0.0.1")
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        for table in SEEDED:
            cursor.execute(f"DROP TABLE IF EXISTS test_{table}")
            cursor.execute(f"CREATE TABLE test_{table} AS TABLE {table}")


@pytest.fixture
def clean_store(seeded: None, django_db_blocker: "DjangoDbBlocker") -> Iterator[None]:
    """The migrated database, nothing received yet; commits are real and seen by every process."""
    with django_db_blocker.unblock():
        end_other_sessions(busy_only=True)
        drop_broken_days()
        empty_tables()
        from tracing import keyring, users

        keyring.look_again()
        # Nobody, and asked again only where a test makes somebody: a page has the same queries at any moment.
        users.FRESH_S = 3_600.0
        users.remember(False)
        yield


def drop_broken_days() -> None:
    """Days whose rows and partitions do not agree, because a test interrupted something or wrote one of the two."""
    from django.db import connection

    from tracing.partitions import TABLES

    names = "|".join(TABLES)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT substring(relname FROM '[0-9]+$')::int, array_agg(relname),"
            " count(inhrelid) FILTER (WHERE NOT inhdetachpending)"
            " FROM pg_class LEFT JOIN pg_inherits ON inhrelid = pg_class.oid"
            " WHERE relkind = 'r' AND relname ~ %s GROUP BY 1",
            [f"^({names})_[dk][0-9]+$"],
        )
        found = cursor.fetchall()
        for _, tables, attached in found:
            if attached < len(TABLES):
                cursor.execute(f"DROP TABLE {', '.join(tables)}")
        whole = [day for day, _, attached in found if attached == len(TABLES)]
        cursor.execute("DELETE FROM day WHERE day <> ALL (%s)", [whole])
        cursor.execute(
            "INSERT INTO day (day) SELECT unnest(%s::int[]) ON CONFLICT (day) DO UPDATE"
            " SET dropped_ns = NULL, thinned_ns = NULL, exchanging = false",
            [whole],
        )


def empty_tables() -> None:
    from django.db import connection

    kept = [*KEPT, *(f"test_{table}" for table in SEEDED)]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT n.nspname, c.relname,"
            " pg_relation_size(c.oid) > %s OR c.relname ~ '^(span|log)_[dk][0-9]+$'"
            " OR NOT current_setting('is_superuser')::bool FROM pg_class c"
            " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname IN ('public', 'stage')"
            " AND c.relkind = 'r' AND c.relname <> ALL (%s) AND pg_relation_size(c.oid) > 0",
            [FEW_BYTES, kept],
        )
        # Only what holds rows: to truncate every partition there is takes a second a test.
        filled = [(f'"{schema}"."{table}"', is_large) for schema, table, is_large in cursor.fetchall()]
        if large := [table for table, is_large in filled if is_large]:
            # With those that refer to them: PostgreSQL asks for these even where they are empty.
            cursor.execute(f"TRUNCATE {', '.join(large)} CASCADE")
        # Few rows are deleted faster than the files of a table and of its indexes are made anew. What refers to what
        # is no matter where everything goes.
        deleting = [f"DELETE FROM {table}" for table, is_large in filled if not is_large]
        if deleting:
            alone = "SET LOCAL session_replication_role = replica"
            cursor.execute("; ".join(["BEGIN", alone, *deleting, "COMMIT"]))
        for table in SEEDED:
            cursor.execute(f"DELETE FROM {table}")
            cursor.execute(f"INSERT INTO {table} SELECT * FROM test_{table}")
        cursor.execute("UPDATE day SET last_received_ns = 0")


@pytest.fixture
def conninfo(clean_store: None) -> str:
    """The empty test database, for a psycopg connection of one's own."""
    from tracing.database import conninfo

    return conninfo()


@pytest.fixture
def store(conninfo: str) -> Iterator["Store"]:
    from django.conf import settings

    from tracing.storing import Store

    made = Store(conninfo, settings.ENVIRONMENT)
    yield made
    made.close()


@pytest.fixture
def worker(conninfo: str) -> Iterator["psycopg.Connection"]:
    """A connection such as the watcher has."""
    import psycopg

    with psycopg.connect(conninfo, autocommit=True) as connection:
        yield connection


@pytest.fixture
def served(clean_store: None) -> Iterator[str]:
    """The pages' address, served by the real server from this process, on the test database."""
    from tracing import server, wsgi

    serving = server.in_thread(("127.0.0.1", 0), wsgi.application, threads=4)
    yield f"http://127.0.0.1:{serving.bind_addr[1]}"
    serving.stop()


@pytest.fixture(scope="session")
def running() -> Iterator[product.Running]:
    """The whole product as a process of its own, in a home of its own; shared by all tests that send to it."""
    with (
        tempfile.TemporaryDirectory(prefix="threadline-test-") as home,
        product.started(Path(home)) as started,
    ):
        yield started


@pytest.fixture
def reader(page: "Page", served: str, store: "Store") -> "Page":
    """A page whose console must stay silent, at a server that knows order 4711."""
    from tests.builders import batch
    from tests.test_flow_page import order_4711

    store.put(batch(*order_4711()))
    said: list[str] = []

    def hear(message: "ConsoleMessage") -> None:
        if message.type in ("error", "warning"):
            said.append(message.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(served + "/flow/entity/order/4711")
    page.said = said  # type: ignore[attr-defined]
    return page


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Debian's Chromium; without one browser tests are skipped, but not where the checks count."""
    # A window can only be opened by the whole of it.
    usable = CHROMIUMS[1:] if browser_type_launch_args.get("headless") is False else CHROMIUMS
    chromium = next((path for path in usable if path.exists()), None)
    if chromium is None:
        sentence = f"no browser at {CHROMIUMS[0]}: apt-get install {CHROMIUMS[0].name}"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
    from playwright.sync_api import expect

    # Two cores, shared with everything else a test starts: five seconds are not always enough.
    expect.set_options(timeout=20_000)
    return browser_type_launch_args | {"executable_path": str(chromium), "args": ["--no-sandbox"]}


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Callable[[int], None]]:
    """Sets what time it is in this process, in Unix nanoseconds; the true time again afterwards."""
    from tracing import clock

    path = tmp_path / "clock"
    clock.set_file(path, 0)
    clock.follow(path)
    yield lambda time_ns: clock.set_file(path, time_ns)
    clock.follow(None)
