"""The embedded server through everything that happens to one: real processes, real kills, real left-overs."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests import product
from tracing import binaries, child, cluster, postgres
from tracing.cluster import LONGEST_SOCKET_FOLDER, locate
from tracing.postgres import Server
from tracing.sentence import Sentence

QUICK = {"fsync": "off"}
OWNER = """
import sys, time
from pathlib import Path
from tracing import postgres
with postgres.running(Path(sys.argv[1]), {"fsync": "off"}) as server:
    print("owned" if server.owned else "attached", server.pid, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """A home whose database is gone afterwards, wherever it lay."""
    with tempfile.TemporaryDirectory(prefix="threadline-test-") as folder:
        yield Path(folder)
        product.forget(Path(folder))


@contextlib.contextmanager
def another_process(home: Path) -> Iterator[tuple[subprocess.Popen[str], str, int | None]]:
    """A process that runs the home's server; whether it owned or attached, and the server's id."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(home)], cwd=product.ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        said, pid = process.stdout.readline().split()
        try:
            yield process, said, None if pid == "None" else int(pid)
        finally:
            process.kill()


def write(server: Server, number: int) -> None:
    with psycopg.connect(server.conninfo()) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (number int)")
        connection.execute("INSERT INTO kept VALUES (%s)", [number])


def read(server: Server) -> list[int]:
    with psycopg.connect(server.conninfo()) as connection:
        return [row[0] for row in connection.execute("SELECT number FROM kept ORDER BY 1").fetchall()]


def test_it_starts_stops_and_keeps(home: Path) -> None:
    with postgres.running(home) as server:
        write(server, 1)
        with psycopg.connect(server.conninfo()) as connection:
            about = connection.execute(
                "SELECT current_setting('server_encoding'), current_setting('listen_addresses'), datlocprovider"
                " FROM pg_database WHERE datname = current_database()"
            ).fetchone()
        pid = server.pid
        assert pid is not None
    assert about == ("UTF8", "", "b")
    assert not child.alive(pid)
    with postgres.running(home) as server:
        assert read(server) == [1]


def test_only_its_user_can_enter(home: Path) -> None:
    with postgres.running(home, QUICK) as server:
        for folder in (server.cluster.data, server.cluster.sockets):
            assert folder.stat().st_mode & 0o077 == 0
        if os.geteuid() == 0:
            assert server.cluster.data.stat().st_uid != 0


def test_a_second_process_attaches_and_leaves_it_alone(home: Path) -> None:
    with postgres.running(home, QUICK) as owner:
        with another_process(home) as (_, said, _):
            assert said == "attached"
        with postgres.running(home) as attached:
            assert not attached.owned
            write(attached, 2)
        assert owner.runs()
        assert read(owner) == [2]


def test_an_attached_process_takes_over(home: Path) -> None:
    with another_process(home) as (owner, said, _):
        assert said == "owned"
        with postgres.running(home, QUICK) as attached:
            assert attached.heal() is None
            write(attached, 3)
            owner.kill()
            owner.wait()
            assert attached.heal() == "The database's owner went away; it is ours now."
            assert read(attached) == [3]


def test_a_killed_server_is_back_with_what_was_committed(home: Path) -> None:
    with postgres.running(home) as server:
        write(server, 4)
        assert server.pid
        os.kill(server.pid, signal.SIGKILL)
        assert postgres.wait_until(lambda: not server.runs(), 5)
        assert server.heal() == "The database had ended; it runs again."
        assert server.heal() is None
        assert read(server) == [4]


def test_a_killed_owner_takes_its_server_along(home: Path) -> None:
    with another_process(home) as (owner, _, pid):
        assert pid
        owner.kill()
        assert postgres.wait_until(lambda: not child.alive(pid), 10)


def test_a_server_left_running_is_taken_over(home: Path) -> None:
    """What happens where the kernel does not end orphans: the owner is gone, its server is not."""
    left = Server(locate(home), QUICK)
    left.start()
    write(left, 5)
    assert left.process is not None
    assert left.held is not None
    os.close(left.held)
    with postgres.running(home, QUICK) as server:
        assert server.adopted == left.process.pid
        assert read(server) == [5]
    assert left.process.wait(5) == 0


def test_a_killed_everything_leaves_nothing_in_the_way(home: Path) -> None:
    with another_process(home) as (owner, _, pid):
        assert pid
        os.kill(pid, signal.SIGSTOP)  # so that it cannot follow its owner in order
        owner.kill()
        os.kill(pid, signal.SIGKILL)
    data = locate(home).data
    assert (data / "postmaster.pid").exists()
    with postgres.running(home, QUICK) as server:
        write(server, 6)
        assert read(server) == [6]


def test_a_process_id_that_is_somebody_elses_is_no_server(home: Path) -> None:
    with postgres.running(home, QUICK) as server:
        write(server, 7)
        note = server.cluster.data / "postmaster.pid"
        lines = note.read_text().splitlines()
    note.write_text("\n".join([str(os.getppid()), *lines[1:]]) + "\n")
    with postgres.running(home, QUICK) as server:
        assert read(server) == [7]


def test_a_half_made_data_folder_is_made_anew(home: Path) -> None:
    with postgres.running(home, QUICK) as server:
        folder = server.cluster.folder
    shutil.move(folder / "data", folder / "data.new")
    with postgres.running(home, QUICK) as server:
        write(server, 8)
        assert read(server) == [8]
    assert not (folder / "data.new").exists()


REFUSED = [
    ("16\n", "was written by PostgreSQL 16 and this Threadline brings"),
    (None, "is not a PostgreSQL data folder"),
]


@pytest.mark.parametrize(("version", "sentence"), REFUSED)
def test_a_foreign_data_folder_is_refused(home: Path, version: str | None, sentence: str) -> None:
    data = locate(home).data
    data.mkdir(parents=True)
    if version:
        (data / "PG_VERSION").write_text(version)
    with pytest.raises(Sentence, match=sentence), postgres.running(home):
        pass
    assert [path.name for path in data.iterdir()] == (["PG_VERSION"] if version else [])


def test_a_broken_server_says_why(home: Path) -> None:
    stop = threading.Event()
    server = Server(locate(home), QUICK | {"shared_buffers": "nonsense"}, stop)
    log = server.cluster.log

    def stop_once_it_complained() -> None:
        postgres.wait_until(lambda: log.exists() and log.stat().st_size > 0, 30)
        stop.set()

    threading.Thread(target=stop_once_it_complained).start()
    with pytest.raises(Sentence, match="Stopped before"):
        server.start()
    assert "shared_buffers" in server.last_words()
    server.stop()


@pytest.mark.parametrize("name", ["deep" * 20 + "/" + "home" * 20, 'Ann\'s home, the "new" one'])
def test_an_odd_home_still_has_a_socket(home: Path, name: str) -> None:
    deep = home / name
    with postgres.running(deep, QUICK) as server:
        assert len(os.fsencode(server.cluster.sockets)) <= LONGEST_SOCKET_FOLDER
        write(server, 9)
        assert read(server) == [9]
    product.forget(deep)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's cluster lies apart from its home")
def test_a_moved_home_finds_its_cluster_and_a_copied_one_gets_its_own(home: Path) -> None:
    first, moved, copied = home / "first", home / "moved", home / "copied"
    with postgres.running(first, QUICK) as server:
        folder = server.cluster.folder
    first.rename(moved)
    assert locate(moved).folder == folder
    with postgres.running(moved, QUICK):
        pass
    shutil.copytree(moved, copied)
    assert locate(copied).folder != folder
    assert locate(moved).folder == folder
    shutil.rmtree(folder)


def test_the_newest_server_of_the_wheel_is_taken() -> None:
    folder = binaries.installed()
    assert binaries.major(folder) >= 18
    assert (folder / "bin/initdb").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root shares binaries")
def test_shared_binaries_can_be_entered_by_everybody(tmp_path: Path) -> None:
    server = binaries.shared(tmp_path)
    assert server == binaries.shared(tmp_path)
    for path in tmp_path.rglob("*"):
        wanted = 0o055 if path.is_dir() or path.parent.name == "bin" else 0o044
        assert path.stat().st_mode & wanted == wanted, path
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_an_account_runs_what_it_owns(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "UNPRIVILEGED", ("nobody-of-that-name",))
    if os.geteuid() == 0:
        with pytest.raises(Sentence, match="does not run as root"):
            Server(locate(home)).start()
    else:
        assert locate(home).account is None


def test_recovery_is_waited_for(home: Path) -> None:
    """A long recovery is no failure: the start returns when it is done, however often it asked."""
    with postgres.running(home) as server:
        with psycopg.connect(server.conninfo()) as connection:
            connection.execute(
                "CREATE TABLE wide AS SELECT n, repeat('x', 500) FROM generate_series(1, 100000) n"
            )
        assert server.pid
        os.kill(server.pid, signal.SIGKILL)
        begun = time.monotonic()
        postgres.wait_until(lambda: not server.runs(), 5)
        server.heal()
        with psycopg.connect(server.conninfo()) as connection:
            assert connection.execute("SELECT count(*) FROM wide").fetchone() == (100_000,)
        assert time.monotonic() - begun < 30
