"""The key that pages sign sessions with where THREADLINE_SECRET says none: random, kept in the home.

So a restart signs nobody out, and several processes of one machine read each other's sessions. Where pages run on several
machines the setting is needed. `tracing.wsgi` puts it in place before the first request.
"""

import contextlib
import logging
import os
import secrets
import tempfile
from pathlib import Path

logger = logging.getLogger(__name__)

NAME = "secret"
LEAST = 32


def kept(home: Path) -> str:
    """The home's secret, made by whoever asks first; a passing one where the home cannot be written."""
    path = home / NAME
    with contextlib.suppress(OSError, UnicodeDecodeError):
        found = path.read_text("ascii").strip()
        if len(found) >= LEAST:
            return found
    try:
        return _made(path)
    except OSError as error:
        logger.warning("%s cannot be written (%s): a restart will sign everybody out", path, error.strerror)
        return secrets.token_urlsafe(48)


def _made(path: Path) -> str:
    """Written whole under another name and linked, so that of two processes one wins and both read the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = secrets.token_urlsafe(48)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{NAME}-")  # readable by us only
    with os.fdopen(handle, "w") as file:
        file.write(made)
    try:
        os.link(name, path)
    except FileExistsError:
        found = path.read_text("ascii", "replace").strip()
        if len(found) >= LEAST and found.isascii():
            return found
        Path(name).replace(path)  # cut short by something else than us
    finally:
        Path(name).unlink(missing_ok=True)
    return made
