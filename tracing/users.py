"""People who sign in: who they are, what they may do, and whether there are any.

While there is nobody and only this machine can reach us, Threadline is open (`tracing.guarding`). Their API tokens are
`tracing.tokens`; what they did is `tracing.auditing`.
"""

import re
import time
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import IntegrityError, models, transaction

from tracing import oneway
from tracing.auditing import TERMINAL
from tracing.clock import now_ns
from tracing.roles import GIVEN, Role
from tracing.unfit import Unfit

# How long a process may take the answer of before: that somebody exists is asked for by each request.
FRESH_S = 1.0
NAME = re.compile(r"[a-z0-9](?:[a-z0-9._@+-]*[a-z0-9])?")
LONGEST = 100


class Users(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(username=normal(username or ""))


class User(AbstractBaseUser):
    """A person with one role. Whoever leaves is switched off or removed; what they said stays."""

    username = models.CharField(max_length=LONGEST, unique=True)
    # As they are shown; their username where it is empty.
    name = models.CharField(max_length=LONGEST, blank=True)
    email = models.EmailField(blank=True)
    role = models.SmallIntegerField(
        choices=[(int(role), role.word) for role in GIVEN], default=int(Role.VIEWER)
    )
    is_active = models.BooleanField(default=True)
    # The password was made by somebody else: nothing but changing it is possible.
    must_change = models.BooleanField(default=False)
    created_ns = models.BigIntegerField(default=now_ns)

    objects: ClassVar[Users] = Users()
    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        ordering: ClassVar[list[str]] = ["username"]

    def __str__(self) -> str:
        return self.name or self.username

    @property
    def given(self) -> Role:
        return Role(self.role)

    def save(self, *arguments: Any, **options: Any) -> None:
        super().save(*arguments, **options)
        remember(None)

    def delete(self, *arguments: Any, **options: Any) -> tuple[int, dict[str, int]]:
        deleted = super().delete(*arguments, **options)
        remember(None)
        return deleted


def normal(username: str) -> str:
    """The one spelling of a username: people type their own with capitals."""
    return username.strip().lower()


def check_username(username: str) -> str:
    """The username as it is kept; raises Unfit."""
    found = normal(username)
    if found == TERMINAL:
        raise Unfit("username", f"The audit calls commands {TERMINAL}, so nobody else can be called that.")
    if len(found) > LONGEST or not NAME.fullmatch(found):
        raise Unfit(
            "username", "A username is made of letters, digits and . _ @ + -, such as ann or ann@example.com."
        )
    return found


def create(
    username: str, role: Role, password: str | None = None, name: str = "", email: str = ""
) -> tuple[User, str]:
    """A new person and their password: the one given, else one made for them that they must change. Raises Unfit."""
    found = check_username(username)
    if User.objects.filter(username=found).exists():
        raise _taken(found)
    if found in names_like(found):
        raise Unfit("username", f"Somebody goes by the name {found} already.")
    check_name(name)
    secret = password or oneway.password()
    user = User(username=found, role=int(role), name=name.strip(), email=email, must_change=password is None)
    user.set_password(secret)
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError:  # made while the password was hashed
        raise _taken(found) from None
    return user, secret


def _taken(username: str) -> Unfit:
    return Unfit("username", f"There is a user {username} already.")


def names_like(beginning: str) -> set[str]:
    """In small letters, what people go by that begins so: usernames, and names that stand in their place."""
    people = User.objects.filter(
        models.Q(username__startswith=beginning) | models.Q(name__istartswith=beginning)
    )
    return {normal(one) for told in people.values_list("username", "name") for one in told if one}


def check_name(name: str, but: User | None = None) -> None:
    """Raises Unfit for a name that somebody else goes by, or the audit: what is said here is signed with it."""
    if normal(name) == TERMINAL:
        raise Unfit("name", f"The audit calls commands {TERMINAL}, so nobody else can be called that.")
    others = User.objects.exclude(pk=but.pk) if but is not None else User.objects.all()
    wanted = models.Q(name__iexact=name.strip()) | models.Q(username=normal(name))
    if name.strip() and others.filter(wanted).exists():
        raise Unfit("name", f"Somebody else goes by {name.strip()} already.")


def set_password(user: User, password: str | None = None, *, own: bool = False) -> str:
    """Their new password: one made for them, which they must change, where none is given. Ends all their sessions.

    Where somebody else gives it, it may be because the account is in other hands: its tokens go too.
    """
    secret = password or oneway.password()
    user.set_password(secret)
    user.must_change = password is None
    with transaction.atomic():
        user.save(update_fields=["password", "must_change"])
        if not own:
            user.token_set.all().delete()
    return secret


def change(user: User, role: Role | None = None, is_active: bool | None = None) -> None:
    """Another role, or on and off. Raises Unfit where nobody would be left to administer."""
    with transaction.atomic():
        user = _held(user)
        stays = user.role if role is None else role
        active = user.is_active if is_active is None else is_active
        if not (stays == Role.ADMINISTRATOR and active):
            _leave_one(user)
        user.role, user.is_active = int(stays), active
        user.save(update_fields=["role", "is_active"])


def remove(user: User) -> None:
    """Raises Unfit for the last administrator while there is anybody else."""
    with transaction.atomic():
        user = _held(user)
        if User.objects.exclude(pk=user.pk).exists():
            _leave_one(user)
        user.delete()


def _held(user: User) -> User:
    """The row as it is now. All are held: two administrators who retire at once must not both be the last but one."""
    everybody = User.objects.select_for_update().order_by("pk")
    found = next((one for one in everybody if one.pk == user.pk), None)
    if found is None:
        raise Unfit("username", f"There is no user {user.username} any more.")
    return found


def _leave_one(user: User) -> None:
    is_one = user.is_active and user.role == Role.ADMINISTRATOR
    if is_one and not administrators().exclude(pk=user.pk).exists():
        raise Unfit("role", f"{user.username} is the last administrator: make somebody else one first.")


def administrators() -> "models.QuerySet[User]":
    return User.objects.filter(role=int(Role.ADMINISTRATOR), is_active=True)


_known: tuple[float, bool] | None = None


def exist() -> bool:
    """Whether there is anybody, as of a second ago at most. Raises what the database raises."""
    known = _known
    if known is None or time.monotonic() - known[0] > FRESH_S:
        remember(User.objects.exists())
        known = _known
    return known is not None and known[1]


def remember(found: bool | None) -> None:
    """What `exist` answers for the next second; None makes it ask."""
    global _known
    _known = None if found is None else (time.monotonic(), found)
