"""A data folder for the embedded server: made once, whole or not at all, and refused when it is not ours.

Works under the lock that `tracing.postgres` holds. Folders that existed before keep their rights.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tracing import binaries, child
from tracing.cluster import NAME, POINTER, SHARED, Cluster
from tracing.sentence import Sentence

# Byte order and C.UTF-8's letters, by PostgreSQL itself: the same on every machine and after every upgrade.
LOCALE = ("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")


def programs(cluster: Cluster) -> Path:
    """The server's folder to run from: the wheel's own, or a copy where another user must enter it."""
    return binaries.shared(SHARED) if os.geteuid() == 0 else binaries.installed()


def make_folders(cluster: Cluster) -> None:
    """The cluster's own folders. Raises Sentence where they cannot be made or belong to somebody else."""
    if os.geteuid() == 0 and cluster.account is None:
        raise Sentence(
            "PostgreSQL does not run as root, and this machine has neither a user named postgres nor nobody: "
            "start Threadline as an ordinary user, or set DATABASE_URL."
        )
    try:
        cluster.home.mkdir(parents=True, exist_ok=True)
        apart = cluster.home not in cluster.folder.parents
        if apart:
            SHARED.mkdir(mode=0o755, parents=True, exist_ok=True)
        # Root's folder must let the server's user pass through, the others are nobody's business.
        cluster.folder.mkdir(mode=0o755 if cluster.account else 0o700, exist_ok=True)
        own_folder(cluster, cluster.sockets)
        if apart:
            cluster.owner_note.write_text(f"{cluster.home}\n")
            (cluster.home / POINTER).write_text(f"{cluster.folder}\n")
    except OSError as error:
        raise Sentence(
            f"The folder {error.filename} cannot be used ({error.strerror}): "
            "set THREADLINE_HOME to a folder that you may write."
        ) from None


def own_folder(cluster: Cluster, path: Path) -> None:
    """A folder that only the server's user may enter."""
    path.mkdir(mode=0o700, exist_ok=True)
    owner = cluster.account.uid if cluster.account else os.geteuid()
    if path.is_symlink() or path.stat().st_uid not in (owner, os.geteuid()):
        raise Sentence(
            f"The folder {path} belongs to somebody else: remove it, or choose another THREADLINE_HOME."
        )
    if cluster.account:
        os.chown(path, cluster.account.uid, cluster.account.gid)


def make_data(cluster: Cluster, server: Path) -> None:
    """Initialise the data folder, or check that the one there is of this major version."""
    if cluster.data.exists():
        return check_version(cluster, binaries.major(server))
    for left_over in cluster.folder.glob("data.new*"):
        shutil.rmtree(left_over)
    making = cluster.folder / "data.new"
    own_folder(cluster, making)
    run_initdb(cluster, server, making)
    making.rename(cluster.data)
    return None


def run_initdb(cluster: Cluster, server: Path, data: Path) -> None:
    command = [str(server / "bin/initdb"), "-D", str(data), "-U", NAME, "--auth=trust", *LOCALE]
    ended = subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        cwd="/",
        env=environ(),
        **child.as_user(cluster.account),
    )
    if ended.returncode:
        lines = (ended.stderr or ended.stdout).strip().splitlines() or ["no message"]
        raise Sentence(f"The database could not be set up in {cluster.folder}: {lines[-1]}")


def check_version(cluster: Cluster, ours: int) -> None:
    try:
        theirs = (cluster.data / "PG_VERSION").read_text().strip()
    except OSError:
        raise Sentence(
            f"{cluster.data} is not a PostgreSQL data folder: move it away, or choose another THREADLINE_HOME."
        ) from None
    if theirs != str(ours):
        raise Sentence(
            f"The data in {cluster.data} was written by PostgreSQL {theirs} and this Threadline brings {ours}: "
            "start the Threadline that wrote it, save the data with pg_dump and load it into a new home, "
            "or set THREADLINE_HOME to an empty folder."
        )


def environ() -> dict[str, str]:
    """What the server may know of our environment: nothing that changes its language, zone or data folder."""
    kept = {"PATH": os.defpath, "LANG": "C", "TZ": "UTC"}
    if sys.platform == "linux" and "LD_PRELOAD" in os.environ:
        kept["LD_PRELOAD"] = os.environ["LD_PRELOAD"]
    return kept
