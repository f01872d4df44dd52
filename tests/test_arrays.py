"""Arrays packed by hand come back from PostgreSQL as the values they were."""

import os
import subprocess
import sys
from urllib.parse import urlencode

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.product import ROOT
from tracing import arrays

TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"))
COLUMNS = {
    "h": ("smallint", st.integers(-(2**15), 2**15 - 1)),
    "i": ("int", st.integers(-(2**31), 2**31 - 1)),
    "q": ("bigint", st.integers(-(2**63), 2**63 - 1)),
    "b": ("bytea", st.binary()),
    "t": ("text", TEXT),
}


@pytest.mark.parametrize("letter", COLUMNS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_column_comes_back(letter: str, data: st.DataObject, conninfo: str) -> None:
    name, values = COLUMNS[letter]
    column = data.draw(st.lists(st.none() | values, max_size=8))
    with psycopg.connect(conninfo, autocommit=True) as connection:
        row = connection.execute(f"SELECT %b::{name}[]", [arrays.array(letter, column)]).fetchone()
    assert row is not None
    assert row[0] == column


def test_rows_become_columns(conninfo: str) -> None:
    rows = [(b"\x01", "a\\,b{}\"'", 7), (b"", "ü", None)]
    with psycopg.connect(conninfo, autocommit=True) as connection:
        found = connection.execute(
            "SELECT * FROM unnest(%b::bytea[], %b::text[], %b::bigint[])", arrays.columns("btq", rows)
        ).fetchall()
    assert found == rows


def test_no_rows_are_empty_columns(conninfo: str) -> None:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        found = connection.execute(
            "SELECT %b::bytea[], %b::text[], %b::bigint[]", arrays.columns("btq", [])
        ).fetchone()
    assert found == ([], [], [])


def test_arrays_can_be_sent_whatever_connects_first(conninfo: str) -> None:
    """A process asks whether its database is there before it has loaded what sends arrays."""
    code = (
        "import django; django.setup()\n"
        "from django.db import connection\n"
        "connection.cursor().execute('SELECT 1')\n"
        "from timeline.queries.bound import fetched\n"
        "from tracing.arrays import array\n"
        "print(fetched('SELECT %(a)b::bytea[]', {'a': array('b', [b'x'])}))"
    )
    told = psycopg.conninfo.conninfo_to_dict(conninfo)
    query = urlencode({name: value for name, value in told.items() if name != "dbname"})
    address = f"postgresql:///{told['dbname']}?{query}"
    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "tracing.settings", "DATABASE_URL": address}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.returncode) == ("[([b'x'],)]\n", 0), done.stderr[-500:]
