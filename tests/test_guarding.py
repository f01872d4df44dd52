"""What Threadline needs before other machines may reach it, and the commands that give it; as real processes."""

import os
import re
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import product
from tests.product import ROOT, Running

SAFE = {"THREADLINE_SECRET": secrets.token_urlsafe(48), "THREADLINE_URL": "https://threadline.example.com"}


@pytest.fixture(scope="module")
def up() -> Iterator[Running]:
    """One product for the tests of commands, which need not start a database each."""
    with (
        tempfile.TemporaryDirectory(prefix="threadline-test-") as folder,
        product.started(Path(folder)) as running,
    ):
        yield running


@pytest.fixture
def home(up: Running) -> Path:
    return up.home


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    product.forget(tmp_path)


def manage(home: Path, *words: str, told: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *words],
        cwd=ROOT, env=product.environ(home, {"DJANGO_ALLOW_ASYNC_UNSAFE": "", **more}), input=told,
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip


@pytest.mark.parametrize("command", ["up", "pages", "collect"])
def test_others_are_not_let_near_without_secret_and_https(tmp_path: Path, command: str) -> None:
    ended = manage(tmp_path, command, "--host", "0.0.0.0")
    assert ended.returncode == 2 and len(ended.stderr.strip().splitlines()) == 1
    for wanted in (
        "THREADLINE_SECRET",
        "THREADLINE_URL with https",
        "administrator",
        "key",
        "--host 127.0.0.1",
    ):
        assert wanted in ended.stderr


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"THREADLINE_PROXY": "1"}, ("through the proxy", "without THREADLINE_PROXY")),
        ({"THREADLINE_URL": "https://t.example"}, ("as t.example", "without THREADLINE_URL")),
    ],
)
@pytest.mark.parametrize("command", ["up", "pages", "collect"])
def test_others_who_come_another_way_are_not_let_near_either(
    tmp_path: Path, command: str, more: dict[str, str], told: tuple[str, str]
) -> None:
    """The address it listens on is this machine's alone."""
    ended = manage(tmp_path, command, **more)
    assert ended.returncode == 2 and len(ended.stderr.strip().splitlines()) == 1
    for wanted in ("THREADLINE_SECRET", "administrator", "key", *told):
        assert wanted in ended.stderr


def test_behind_a_proxy_nothing_starts_before_there_are_people(fresh: Path) -> None:
    ended = manage(fresh, "up", **SAFE, THREADLINE_PROXY="1")
    assert ended.returncode == 2 and "user create" in ended.stderr and "key create" in ended.stderr


def test_under_another_server_nobody_comes_in_without_signing_in(up: Running) -> None:
    code = (
        "from tracing.wsgi import application; from django.test import Client;"
        "print(*(Client(headers={'host': 'localhost'}).get(one).status_code for one in"
        " ('/mark.svg', '/settings/keys', '/flows?format=json')))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=product.environ(up.home, {"PYTHONPATH": str(ROOT)}),
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert told.stdout.split() == ["200", "302", "401"], told.stderr


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"THREADLINE_SECRET": "short"}, "THREADLINE_SECRET must have at least 32 characters"),
        ({"THREADLINE_PROXY": "maybe"}, "THREADLINE_PROXY must be 1 or 0"),
        ({"THREADLINE_OIDC_URL": "https://id.example"}, "needs THREADLINE_OIDC_CLIENT_ID"),
        ({"THREADLINE_OIDC_ROLES": "ops=boss"}, "THREADLINE_OIDC_ROLES lists pairs"),
        ({"THREADLINE_OIDC_DEFAULT_ROLE": "boss"}, "THREADLINE_OIDC_DEFAULT_ROLE must be viewer"),
    ],
)
def test_an_unsafe_setting_is_one_sentence(tmp_path: Path, more: dict[str, str], sentence: str) -> None:
    ended = manage(tmp_path, "check", **more)
    assert ended.returncode == 2 and sentence in ended.stderr and "short" not in ended.stderr


def test_a_first_start_for_others(fresh: Path) -> None:
    """Refused until there are an administrator and a key; the commands that make them need no start before."""
    web, otlp, rpc = product.free_ports(3)
    up = ("up", "--host", "0.0.0.0", f"--port={web}", f"--otlp-port={otlp}", f"--grpc-port={rpc}")
    refused = manage(fresh, *up, **SAFE)
    assert refused.returncode == 2 and "user create" in refused.stderr and "key create" in refused.stderr
    made = manage(fresh, "user", "create", "ada", "--role", "administrator")
    once = re.search(r": ([a-z0-9-]{19})$", made.stdout.strip())
    assert made.returncode == 0 and once
    assert "user create" not in manage(fresh, *up, **SAFE).stderr
    key = manage(fresh, "key", "create", "shop").stdout.strip()
    assert re.fullmatch("tlk_[A-Za-z0-9]{32}", key)
    running = product.start(fresh, [web, otlp, rpc], ("--host", "0.0.0.0"), SAFE)
    try:
        product.wait_ready(running)
        body = product.one_span()
        json = {"Content-Type": "application/json"}
        assert product.status(f"{running.otlp}/v1/traces", body, json) == 401
        assert product.status(f"{running.otlp}/v1/traces", body, json | {"X-Threadline-Key": key}) == 200
        assert (
            product.status(f"{running.url}/flows?format=json", None, {"Host": "threadline.example.com"})
            == 401
        )
    finally:
        product.end(running)


def test_users_by_command(home: Path) -> None:
    assert (
        "operator"
        in manage(
            home, "user", "create", "Otto", "--role", "operator", "--password-stdin", told="a fine password\n"
        ).stdout
    )
    assert (
        "cannot be taken" in manage(home, "user", "create", "eve", "--password-stdin", told="12345\n").stderr
    )
    assert "There is a user otto already" in manage(home, "user", "create", "OTTO").stderr
    assert "administrator now" in manage(home, "user", "role", "otto", "administrator").stdout
    assert "shown only now" in manage(home, "user", "password", "otto").stdout
    listed = manage(home, "user", "list").stdout
    assert "otto  administrator, never signed in" in listed
    token = manage(home, "token", "create", "otto", "nightly", "--role", "viewer", "--days", "7")
    assert re.fullmatch("tlt_[A-Za-z0-9]{32}", token.stdout.strip())
    assert "otto  nightly" in manage(home, "token", "list").stdout
    assert "revoked" in manage(home, "token", "revoke", "otto", "nightly").stdout
    assert manage(home, "token", "revoke", "otto", "nightly").returncode == 2
    assert "removed" in manage(home, "user", "remove", "otto").stdout
    assert "There is no user 'otto'" in manage(home, "user", "role", "otto", "viewer").stderr


def test_keys_by_command(home: Path) -> None:
    assert manage(home, "key", "create", "billing", "--limit", "500").returncode == 0
    assert "at most 500 records a second" in manage(home, "key", "list").stdout
    assert "any number" in manage(home, "key", "limit", "billing").stdout
    assert "is revoked" in manage(home, "key", "revoke", "billing").stdout
    assert "There is a key billing already" in manage(home, "key", "create", "billing").stderr
    assert "There is no key 'x'" in manage(home, "key", "revoke", "x").stderr


def test_a_demo_without_a_key_is_told_how_to_get_one(up: Running, home: Path) -> None:
    secret = manage(home, "key", "create", f"demo {os.getpid()}").stdout.strip()
    ports = (up.otlp.rpartition(":")[2], up.grpc.rpartition(":")[2])
    more = dict(zip(("THREADLINE_OTLP_PORT", "THREADLINE_GRPC_PORT"), ports, strict=True))
    assert (
        "This Threadline asks for a key"
        in manage(home, "demo", "--orders", "1", "--hours", "1", **more).stderr
    )
    for way in ({"THREADLINE_KEY": secret}, {"OTEL_EXPORTER_OTLP_HEADERS": f"x-threadline-key={secret}"}):
        told = manage(home, "demo", "--orders", "1", "--hours", "1", **more, **way)
        assert told.returncode == 0 and "Sent" in told.stdout, told.stderr
    owned = manage(home, "demo", "--own-key", "--orders", "1", "--hours", "1", "--seed", "2", **more)
    assert owned.returncode == 0, owned.stderr
    assert "the demo of process" not in manage(home, "key", "list").stdout


def test_the_deployment_check_finds_nothing(tmp_path: Path) -> None:
    ended = manage(tmp_path, "check", "--deploy", **SAFE)
    assert ended.returncode == 0 and "no issues" in ended.stdout + ended.stderr, ended.stderr
