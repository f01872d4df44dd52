"""What a person may do here, from nothing to everything. Pure; `tracing.users` gives each person one of these.

`timeline.access` compares a person's role with what an address needs.
"""

from enum import IntEnum


class Role(IntEnum):
    """Each may do what those before it may."""

    NOBODY = 0
    VIEWER = 1
    OPERATOR = 2
    ADMINISTRATOR = 3

    @property
    def word(self) -> str:
        return self.name.lower()

    @property
    def article(self) -> str:
        return "an" if self.word[0] in "aeiou" else "a"


# The roles that a person can be given.
GIVEN = (Role.VIEWER, Role.OPERATOR, Role.ADMINISTRATOR)


def role_named(word: str) -> Role | None:
    """The role of that name in any case; None where nobody can be given it."""
    return next((role for role in GIVEN if role.word == word.strip().lower()), None)
