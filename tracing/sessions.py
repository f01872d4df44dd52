"""Sessions in the database; a cookie that cannot be the id of one is nobody's, and never reaches the database."""

import re

from django.contrib.sessions.backends import db

ID = re.compile(r"[a-z0-9]{8,40}")


class SessionStore(db.SessionStore):
    """Django's own, which would ask for any text: PostgreSQL refuses one that holds NUL."""

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key if session_key and ID.fullmatch(session_key) else None)
