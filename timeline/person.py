"""Who asks for a page: a person signed in, a script with a token, whoever sits at an open installation, or a stranger.

`timeline.access` finds out and sets it on the request; views, templates and `timeline.reader` ask here.
"""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from tracing.roles import Role
from tracing.users import User


@dataclass(frozen=True, slots=True)
class Person:
    """`user` is None for a stranger and in local mode, where everybody is an administrator without a name."""

    role: Role = Role.NOBODY
    user: User | None = None
    token: str = ""

    @property
    def name(self) -> str:
        return str(self.user) if self.user is not None else ""

    @property
    def views(self) -> bool:
        return self.role >= Role.VIEWER

    @property
    def operates(self) -> bool:
        return self.role >= Role.OPERATOR

    @property
    def administers(self) -> bool:
        return self.role >= Role.ADMINISTRATOR


STRANGER = Person()


def person_of(request: HttpRequest) -> Person:
    """A stranger where nobody has looked: what is not known is closed."""
    found = getattr(request, "person", STRANGER)
    return found if isinstance(found, Person) else STRANGER


def in_templates(request: HttpRequest) -> dict[str, Any]:
    """`person` in every template: what they may not use is not drawn."""
    return {"person": person_of(request)}
