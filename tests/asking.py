"""How a test asks the running product for a page or its JSON, without following redirects unseen.

`tests.product` starts the product; these are the eyes of whoever sent something to it.
"""

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

Json = dict[str, Any]


def ask(base: str, path: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (lower case) and body of one GET."""
    where = urlsplit(base)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, headers, answer.read()
    finally:
        connection.close()


def found(base: str, words: str) -> str:
    """The path that `/find` leads to; fails the test when it does not lead to one place."""
    status, headers, _ = ask(base, f"/find?q={words}")
    assert status == 302, f"/find?q={words} answered {status}"
    where = urlsplit(headers["location"])
    return f"{where.path}?{where.query}" if where.query else where.path


def as_json(base: str, path: str) -> Json:
    """The JSON form of a page."""
    status, _, body = ask(base, f"{path}{'&' if '?' in path else '?'}format=json")
    assert status == 200, f"{path} answered {status}: {body[:300]!r}"
    answer: Json = json.loads(body)
    return answer


def every_row(base: str, path: str) -> list[Json]:
    """All rows of a flow, unfolded, read page by page."""
    rows: list[Json] = []
    cursor = ""
    while True:
        page = as_json(base, f"{path}{'&' if '?' in path else '?'}expand=all&limit=500{cursor}")
        rows += page["rows"]
        if page["next"] is None:
            return rows
        cursor = f"&cursor={page['next']}"
