"""Programs of other languages that tests run: installed or built once, kept under ~/.cache/threadline-sdks.

That is outside the repository; without a toolchain or its registry the test that asks is skipped.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "threadline-sdks"
INSTALL_S = 240
TROUBLES: dict[Path, str] = {}


def installed(source: Path, files: tuple[str, ...], install: list[str], *needed: str) -> Path:
    """The folder in which `install` was run beside the files of `source`, once for each content of these.

    `needed` are programs beside that of `install` without which what is installed does not run.
    """
    for tool in (install[0], *needed):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
    digest = hashlib.sha256(b"".join((source / name).read_bytes() for name in files)).hexdigest()
    folder = CACHE / f"{source.parent.name}-{source.name}-{digest[:12]}"
    if not folder.exists() and (trouble := _trouble_installing(source, files, install, folder)):
        pytest.skip(f"{install[0]} could not install, no registry? {trouble}")
    return folder


def _trouble_installing(source: Path, files: tuple[str, ...], install: list[str], folder: Path) -> str:
    """Install beside `folder` and move there; why not, or nothing. A failure is not tried again by the next test."""
    if source in TROUBLES:
        return TROUBLES[source]
    with tempfile.TemporaryDirectory(prefix="threadline-sdk-") as made:
        for name in files:
            shutil.copy(source / name, made)
        try:
            subprocess.run(install, cwd=made, check=True, capture_output=True, text=True, timeout=INSTALL_S)
            folder.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(made, folder, symlinks=True)
        except (subprocess.SubprocessError, OSError) as error:
            TROUBLES[source] = f"{error}: {getattr(error, 'stderr', '')}"[-400:]
            shutil.rmtree(folder, ignore_errors=True)
    return TROUBLES.get(source, "")
