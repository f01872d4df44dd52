"""Where the embedded PostgreSQL of one home lies: its folder, data, socket, lock, and who runs it.

Only looks and decides, so that settings can name the socket before anything was started; `tracing.postgres`
creates and runs what is located here, with the binaries of `tracing.binaries`.
"""

import hashlib
import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# PostgreSQL refuses to run as root. A cluster of root's lies where an unprivileged user can reach it,
# because homes and clones often lie in folders that only root may enter.
SHARED = Path("/var/lib/threadline")
UNPRIVILEGED = ("postgres", "nobody")
# The kernel's limit for a socket's address is 107 bytes; `/.s.PGSQL.5432` takes 14 of them.
LONGEST_SOCKET_FOLDER = 92
NAME = "threadline"
POINTER = "postgres-is-at"


@dataclass(frozen=True)
class Account:
    """An unprivileged user that the server runs as when we are root."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class Cluster:
    """The places of one home's server. `account` is None where the server runs as ourselves."""

    home: Path
    folder: Path
    account: Account | None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def lock(self) -> Path:
        return self.folder / "lock"

    @property
    def log(self) -> Path:
        return self.folder / "postgres.log"

    @property
    def owner_note(self) -> Path:
        """Names the home that this folder belongs to, where the two lie apart."""
        return self.folder / "home"

    @property
    def sockets(self) -> Path:
        beside = self.folder / "socket"
        # libpq takes a comma for the next host.
        if len(os.fsencode(beside)) <= LONGEST_SOCKET_FOLDER and "," not in str(beside):
            return beside
        return Path("/tmp") / f"threadline-{os.getuid()}-{digest(self.folder)}"

    def database(self) -> dict[str, Any]:
        """Django's settings for the product's database in this cluster."""
        return {"NAME": NAME, "USER": NAME, "HOST": str(self.sockets)}


def digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:16]


def locate(home: Path) -> Cluster:
    """The cluster of a home; nothing is created."""
    home = home.absolute()
    inside = home / "postgres"
    if os.geteuid() != 0:
        return Cluster(home, inside, None)
    owner = owner_of(inside / "data")
    if owner is not None:
        # Made by an ordinary user's run: keep it theirs, or they could never start it again.
        return Cluster(home, inside, owner)
    folder = pointed_at(home) or SHARED / digest(home)
    return Cluster(home, folder, owner_of(folder / "data") or unprivileged())


def pointed_at(home: Path) -> Path | None:
    """The folder named by the home's pointer, unless it belongs to another home that still points at it."""
    try:
        folder = Path((home / POINTER).read_text().strip())
        owner = Path((folder / "home").read_text().strip())
    except OSError:
        return None
    copied = owner != home and (owner / POINTER).exists()
    return None if copied else folder


def owner_of(data: Path) -> Account | None:
    """Who may run an existing data folder; None where there is none, or it is root's."""
    try:
        uid = data.stat().st_uid
    except OSError:
        return None
    return account(pwd.getpwuid(uid)) if uid else None


def unprivileged() -> Account | None:
    """An existing user without rights; None where the machine knows none of them."""
    for name in UNPRIVILEGED:
        try:
            return account(pwd.getpwnam(name))
        except KeyError:
            continue
    return None


def account(entry: pwd.struct_passwd) -> Account:
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
