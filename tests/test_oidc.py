"""Signing in by the word of an OpenID provider: the real product, a provider of ours that speaks the real protocol."""

import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import requests

from tests import product
from tests.product import Running
from tests.provider import CLIENT, SECRET, Provider
from tracing.postgres import wait_until


@dataclass
class House:
    running: Running
    provider: Provider

    def visit(self, **claims: object) -> requests.Response:
        """A new browser goes to a page, is led to the provider and back."""
        self.provider.claims = claims
        self.browser = requests.Session()
        self.browser.trust_env = False
        assert "/login?next=" in self.browser.get(f"{self.running.url}/settings/", timeout=20).url
        start = f"{self.running.url}/oidc/provider/login/?next=/settings/"
        return self.browser.get(start, timeout=20)

    def rows(self, question: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.running.conninfo) as connection:
            return connection.execute(question.encode()).fetchall()


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    provider = Provider()
    threading.Thread(target=provider.serve_forever, daemon=True).start()
    more = {
        "THREADLINE_OIDC_URL": provider.url,
        "THREADLINE_OIDC_CLIENT_ID": CLIENT,
        "THREADLINE_OIDC_CLIENT_SECRET": SECRET,
        "THREADLINE_OIDC_ROLES": "ops=operator, sre-leads=administrator, all=viewer",
    }
    with (
        tempfile.TemporaryDirectory(prefix="threadline-test-") as home,
        product.started(Path(home), more=more) as running,
    ):
        subprocess.run(
            [sys.executable, str(product.ROOT / "manage.py"), "user", "create", "ada", "--role=administrator"],
            env=product.environ(Path(home), more), check=True, capture_output=True, cwd=product.ROOT,
        )  # fmt: skip
        # That somebody must sign in is known within seconds.
        assert wait_until(lambda: product.status(f"{running.url}/account?format=json") == 401, 10)
        yield House(running, provider)
    provider.shutdown()
    provider.server_close()


def test_the_page_for_signing_in_leads_there(house: House) -> None:
    page = requests.get(f"{house.running.url}/login?next=/flows", timeout=20).text
    assert (
        'href="/oidc/provider/login/?next=/flows"' in page.replace("%2F", "/")
        and "Sign in with 127.0.0.1" in page
    )


def test_the_highest_role_of_a_claim_counts_and_is_read_anew_each_time(house: House) -> None:
    answer = house.visit(sub="7", preferred_username="Lea", threadline_role=["all", "sre-leads", "strange"])
    assert answer.url == f"{house.running.url}/settings/" and "lea · administrator" in answer.text
    assert "lea · operator" in house.visit(sub="7", preferred_username="Lea", threadline_role="ops").text
    (row,) = house.rows(
        "SELECT username, role, password LIKE '!%' FROM tracing_user WHERE username LIKE 'lea%'"
    )
    assert row == ("lea", 2, True)
    audit = house.rows("SELECT action FROM tracing_audit WHERE subject = 'lea' ORDER BY id")
    assert [one for (one,) in audit] == ["person added", "signed in", "role changed", "signed in"]


def test_nobody_takes_over_a_name(house: House) -> None:
    assert "ada-2 · operator" in house.visit(sub="8", preferred_username="ada", threadline_role="ops").text
    with psycopg.connect(house.running.conninfo) as connection:
        connection.execute("UPDATE tracing_user SET name = 'Zed' WHERE username = 'ada'")
    assert "zed-2 · operator" in house.visit(sub="18", preferred_username="zed", threadline_role="ops").text


def test_whoever_has_no_role_is_told_so(house: House) -> None:
    for claims in (
        {"threadline_role": "strange"},
        {},
        {"threadline_role": [1, None]},
        {"threadline_role": {"ops": 1}},
    ):
        answer = house.visit(sub="9", preferred_username="eve", **claims)
        assert answer.status_code == 403 and "nothing it says of you gives you a role here" in answer.text
    assert not house.rows("SELECT 1 FROM tracing_user WHERE username LIKE 'eve%'")


def test_whoever_loses_their_role_there_loses_it_here_everywhere(house: House) -> None:
    house.visit(sub="20", preferred_username="max", threadline_role="sre-leads")
    first, people = house.browser, f"{house.running.url}/settings/people"
    made = first.get(f"{house.running.url}/account", timeout=20).text
    csrf = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', made)[0]
    told = {"csrfmiddlewaretoken": csrf, "label": "script", "days": "30", "role": ""}
    page = first.post(f"{house.running.url}/account/tokens", told, timeout=20).text
    token = {"Authorization": f"Bearer {re.findall('tlt_[A-Za-z0-9]{32}', page)[0]}"}
    assert first.get(people, timeout=20).status_code == 200
    assert requests.get(people, headers=token, timeout=20).status_code == 200
    assert house.visit(sub="20", preferred_username="max", threadline_role="strange").status_code == 403
    refused = first.get(people, timeout=20)
    assert refused.status_code == 403 and "You have no role here any more" in refused.text
    assert requests.get(people, headers=token, timeout=20).status_code == 403
    assert house.rows("SELECT role FROM tracing_user WHERE username = 'max'") == [(0,)]
    assert house.rows(
        "SELECT detail FROM tracing_audit WHERE subject = 'max' AND action = 'role changed'"
    ) == [("administrator → nobody, as told at sign-in",)]
    # It comes back with the claim.
    assert "max · operator" in house.visit(sub="20", preferred_username="max", threadline_role="ops").text
    assert first.get(f"{house.running.url}/flows", timeout=20).status_code == 200


def test_nobody_comes_as_a_command(house: House) -> None:
    assert (
        "manage.py-2 · viewer"
        in house.visit(sub="21", preferred_username="manage.py", threadline_role="all").text
    )


def test_whoever_is_switched_off_stays_out(house: House) -> None:
    house.visit(sub="10", preferred_username="otto", threadline_role="ops")
    with psycopg.connect(house.running.conninfo) as connection:
        connection.execute("UPDATE tracing_user SET is_active = false WHERE username = 'otto'")
    answer = house.visit(sub="10", preferred_username="otto", threadline_role="ops")
    assert answer.status_code == 403 and "switched off" in answer.text


def test_what_goes_wrong_there_is_a_page_here(house: House) -> None:
    house.provider.refuses = True
    try:
        answer = house.visit(sub="11", threadline_role="ops")
    finally:
        house.provider.refuses = False
    assert answer.status_code == 401 and "did not work out" in answer.text
    forged = requests.get(f"{house.running.url}/oidc/provider/login/callback/?code=x&state=y", timeout=20)
    assert forged.status_code == 401 and "did not work out" in forged.text


@pytest.mark.parametrize(
    "path", ["/oidc/other/login/", "/accounts/login/", "/accounts/signup/", "/accounts/password/reset/"]
)
def test_no_other_page_of_the_library_is_there(house: House, path: str) -> None:
    answer = requests.get(house.running.url + path, timeout=20, allow_redirects=False)
    assert answer.status_code in (302, 404) and "evil" not in answer.headers.get("Location", "")
    assert answer.status_code == 404 or answer.headers["Location"].startswith("/login")


def test_nobody_is_led_elsewhere_from_there(house: House) -> None:
    house.visit(sub="12", preferred_username="Noa", threadline_role="ops")
    start = f"{house.running.url}/oidc/provider/login/?process=connect&next=//evil.example"
    assert house.browser.get(start, timeout=20).url == f"{house.running.url}/"
