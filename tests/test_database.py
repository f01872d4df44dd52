"""DATABASE_URL in all its spellings, and back to libpq's words."""

import pytest
from psycopg.conninfo import conninfo_to_dict

from tracing.database import conninfo, described, parse
from tracing.sentence import Sentence

READ = [
    (
        "postgresql://ann:s%2Fe@db:6432/tl",
        {"NAME": "tl", "USER": "ann", "PASSWORD": "s/e", "HOST": "db", "PORT": "6432"},
    ),
    ("postgres://db/tl", {"NAME": "tl", "USER": "", "PASSWORD": "", "HOST": "db", "PORT": ""}),
    ("postgresql:///tl?host=/run/pg&user=ann", {"NAME": "tl", "USER": "ann", "HOST": "/run/pg", "PORT": ""}),
    ("postgresql://%2Frun%2Fpg/tl", {"NAME": "tl", "HOST": "/run/pg"}),
    ("postgresql://[::1]:5/a%20b", {"NAME": "a b", "HOST": "::1", "PORT": "5"}),
]


@pytest.mark.parametrize(("url", "expected"), READ)
def test_an_address_is_read(url: str, expected: dict[str, str]) -> None:
    found = parse(url)
    assert {key: found[key] for key in expected} == expected


@pytest.mark.parametrize("url", ["", "tl", "http://db/tl", "postgresql://db", "postgresql://db:99999/tl"])
def test_what_is_none_is_a_sentence(url: str) -> None:
    with pytest.raises(Sentence, match="DATABASE_URL"):
        parse(url)


def test_libpq_gets_what_was_said() -> None:
    words = conninfo_to_dict(conninfo(parse("postgresql://ann:p%20w@db:1/tl?sslmode=require")))
    assert words["host"] == "db"
    assert words["password"] == "p w"
    assert words["sslmode"] == "require"
    assert words["dbname"] == "tl"


def test_djangos_own_options_stay_djangos() -> None:
    assert "pool" not in conninfo({"NAME": "tl", "OPTIONS": {"pool": True}})


def test_a_password_is_never_described() -> None:
    assert described(parse("postgresql://ann:secret@db:1/tl")) == "tl at db:1"
