"""Our own sweep over every address of the running product with users: headers, cookies, CSRF, no way out or in."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest
import requests
from django.urls import get_resolver

from tests import product
from tests.otlp_bodies import as_json, span, traces
from tests.product import Running
from tests.test_access_table import address, routes
from tracing.postgres import wait_until

PASSWORD = "correct horse battery"
ROUTES = sorted(routes(get_resolver().url_patterns))
# Answers of every kind, and what stands before Django.
ALL = [
    *(address(route) for route in ROUTES),
    "/nowhere",
    "/static/threadline.css",
    "/flows?format=json",
    "/flows?limit=x",
]
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
EVIL = [
    "//evil.example",
    "/\\evil.example",
    "https:evil.example",
    "https://evil.example",
    "%2F%2Fevil.example",
    "/%5Cevil.example",
]


@dataclass
class Door:
    running: Running
    browser: requests.Session
    key: str

    def get(self, path: str) -> requests.Response:
        return self.browser.get(self.running.url + path, timeout=30, allow_redirects=False)

    def form_token(self, path: str) -> str:
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.get(path).text)
        assert found
        return found[1]


def manage(home: Path, *words: str) -> str:
    """What it printed."""
    return subprocess.run(
        [sys.executable, str(product.ROOT / "manage.py"), *words],
        env=product.environ(home), input=f"{PASSWORD}\n", text=True, check=True, capture_output=True, cwd=product.ROOT,
    ).stdout  # fmt: skip


@pytest.fixture(scope="module")
def door() -> Iterator[Door]:
    with (
        tempfile.TemporaryDirectory(prefix="threadline-test-") as home,
        product.started(Path(home)) as running,
        requests.Session() as browser,
    ):
        manage(Path(home), "user", "create", "ada", "--role=administrator", "--password-stdin")
        found = re.search(r"tlk_\S+", manage(Path(home), "key", "create", "shop"))
        assert found
        browser.trust_env = False
        door = Door(running, browser, found[0])
        assert wait_until(lambda: door.get("/account").status_code == 302, 10)
        yield door


@pytest.fixture
def inside(door: Door) -> Door:
    if door.get("/account").status_code == 302:
        told = {"username": "ada", "password": PASSWORD, "csrfmiddlewaretoken": door.form_token("/login")}
        assert door.browser.post(f"{door.running.url}/login", told, timeout=30).status_code == 200
    return door


def test_every_answer_has_its_headers(inside: Door) -> None:
    wrong = []
    for path in ALL:
        for answer in (
            inside.get(path),
            requests.get(inside.running.url + path, timeout=30, allow_redirects=False),
        ):
            policy = answer.headers.get("Content-Security-Policy", "")
            wrong += [(path, name) for name, value in HEADERS.items() if answer.headers.get(name) != value]
            if (
                "unsafe" in policy
                or "default-src 'self'" not in policy
                or "frame-ancestors 'none'" not in policy
            ):
                wrong.append((path, policy))
            if "Permissions-Policy" not in answer.headers or answer.status_code >= 500:
                wrong.append((path, str(answer.status_code)))
            kept = answer.headers.get("Cache-Control", "")
            if "no-store" not in kept and not path.startswith(("/static/", "/mark.svg")):
                wrong.append((path, kept))
    assert wrong == []


def test_every_cookie_is_for_us_alone(door: Door) -> None:
    page = requests.get(f"{door.running.url}/login", timeout=30)
    token = re.search(r'value="(\w{64})"', page.text)
    assert token
    told = {"username": "ada", "password": PASSWORD, "csrfmiddlewaretoken": token[1]}
    answer = requests.post(
        f"{door.running.url}/login", told, cookies=page.cookies, timeout=30, allow_redirects=False
    )
    cookies = answer.raw.headers.getlist("Set-Cookie")
    assert {one.strip().split("=")[0] for one in cookies} == {"csrf", "session"}
    assert all("HttpOnly" in one and "SameSite=Lax" in one for one in cookies)


def test_over_https_cookies_and_hsts_are_strict(tmp_path: Path) -> None:
    code = (
        "import django; django.setup(); from django.conf import settings as s; from django.test import Client;"
        "a = Client().get('/mark.svg', HTTP_HOST='t.example');"
        "print(s.SESSION_COOKIE_NAME, s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, a.headers['Strict-Transport-Security'])"
    )
    more = {
        "DJANGO_SETTINGS_MODULE": "tracing.settings",
        "THREADLINE_URL": "https://t.example",
        "PYTHONPATH": str(product.ROOT),
    }
    with product.started(tmp_path) as _:
        told = subprocess.run(
            [sys.executable, "-c", code], env=product.environ(tmp_path, more), capture_output=True, text=True
        )
    assert told.stdout.split() == ["__Host-session", "True", "True", "max-age=31536000"], told.stderr


def test_no_post_is_taken_without_its_token(inside: Door) -> None:
    taken = []
    for route in ROUTES:
        path = address(route)
        for headers in ({}, {"Origin": "https://evil.example"}):
            answer = inside.browser.post(
                inside.running.url + path, {"x": "y"}, headers=headers, timeout=30, allow_redirects=False
            )
            if answer.status_code not in (403, 405):
                taken.append((path, answer.status_code))
    assert taken == []


@pytest.mark.parametrize("evil", EVIL)
def test_nobody_is_led_out_of_the_house(inside: Door, evil: str) -> None:
    for path in (f"/find?q={evil}", f"/login?next={evil}", f"/trace/{evil}", f"/settings?next={evil}"):
        answer = inside.get(path)
        led = answer.headers.get("Location", "/")
        assert led.startswith("/") and not led.startswith(("//", "/\\")), (path, led)


def test_no_page_asks_anybody_else(inside: Door) -> None:
    for path in ALL:
        page = inside.get(path)
        if not page.headers.get("Content-Type", "").startswith("text/html"):
            continue
        asked = re.findall(r'(?:src|href|action|srcset|poster)="([^"]*)"', page.text)
        assert [
            one for one in asked if one and not one.startswith(("/", "#", "?", f"{inside.running.url}/"))
        ] == [], path
        assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=", page.text), path


@pytest.fixture
def link(inside: Door) -> str:
    """A link that anyone may open."""
    body = orjson.dumps(as_json(traces(span({"order.id": "4711"}))))
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {inside.key}"}
    sent = requests.post(f"{inside.running.otlp}/v1/traces", body, headers=headers, timeout=30)
    assert sent.status_code == 200
    form = "/share?of=/flow/entity/order/4711"
    told = {
        "of": "/flow/entity/order/4711", "audience": "anyone", "shows": "live", "detail": "values", "until": "7",
        "csrfmiddlewaretoken": inside.form_token(form),
    }  # fmt: skip
    made = inside.browser.post(inside.running.url + form, told, timeout=30)
    found = re.search(r'id="address" value="([^"]+)"', made.text)
    assert found, made.text
    return found[1]


@pytest.mark.parametrize(
    "query", ["", "?format=json", "?format=otlp", "?format=md", "?find=<script>", "?x=y", "/card.png"]
)
def test_what_a_link_shows_gives_nothing_else_away(link: str, query: str) -> None:
    answer = requests.get(link + query, timeout=30, allow_redirects=False)
    assert answer.status_code == 200
    told = answer.headers
    assert {name: told.get(name) for name in HEADERS} == HEADERS | {"Referrer-Policy": "no-referrer"}
    assert "noindex" in told["X-Robots-Tag"] and not told.get("Set-Cookie")
    assert "no-store" in told["Cache-Control"] or query == "/card.png"
    assert "default-src 'self'" in told["Content-Security-Policy"]
    assert "<script>" not in answer.text and "csrfmiddlewaretoken" not in answer.text
    for method in ("POST", "PUT", "DELETE"):
        assert requests.request(method, link, timeout=30).status_code in (403, 405)
