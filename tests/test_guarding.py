"""What Threadline needs before other machines may reach it, and the commands that give it; as real processes."""

import contextlib
import io
import os
import re
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from pytest_django.fixtures import Settings

from tests import product
from tests.product import ROOT, Running
from tracing import guarding
from tracing.management.borrowing import welcome
from tracing.sentence import Sentence

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


PROXY = ({"THREADLINE_PROXY": "1"}, ("through the proxy", "without THREADLINE_PROXY"))
NAMED = ({"THREADLINE_URL": "https://t.example"}, ("as t.example", "without THREADLINE_URL"))
BOTH = (
    PROXY[0] | NAMED[0],
    ("through the proxy", "without THREADLINE_PROXY and without THREADLINE_URL it starts"),
)


@pytest.mark.parametrize(
    ("command", "more", "told"),
    [("up", *PROXY), ("up", *NAMED), ("up", *BOTH), ("pages", *PROXY), ("collect", *NAMED)],
)
def test_others_who_come_another_way_are_not_let_near_either(
    tmp_path: Path, command: str, more: dict[str, str], told: tuple[str, str]
) -> None:
    """The address it listens on is this machine's alone."""
    ended = manage(tmp_path, command, **more)
    assert ended.returncode == 2 and len(ended.stderr.strip().splitlines()) == 1
    for wanted in ("THREADLINE_SECRET", "administrator", "key", *told):
        assert wanted in ended.stderr


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


def test_what_is_typed_counts_before_what_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    from tracing import settings as ours

    monkeypatch.setattr(ours, "HOST", "0.0.0.0")
    monkeypatch.setattr(guarding, "_host", None)
    assert guarding.is_reachable()
    assert guarding.listening("127.0.0.1") == "127.0.0.1" and not guarding.is_reachable()


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
    ended = manage(tmp_path, "up", **more)
    assert ended.returncode == 2 and sentence in ended.stderr and "short" not in ended.stderr


def test_a_first_start_for_others(fresh: Path) -> None:
    """Refused until there are an administrator and a key; the commands that make them need no start before.

    Behind a proxy just so, whatever it listens on.
    """
    web, otlp, rpc = product.free_ports(3)
    up = ("up", "--host", "0.0.0.0", f"--port={web}", f"--otlp-port={otlp}", f"--grpc-port={rpc}")
    refused = manage(fresh, *up, **SAFE)
    assert refused.returncode == 2 and "user create" in refused.stderr and "key create" in refused.stderr
    made = manage(fresh, "user", "create", "ada", "--role", "administrator")
    once = re.search(r": ([a-z0-9-]{19})$", made.stdout.strip())
    assert made.returncode == 0 and once
    refused = manage(fresh, "up", **SAFE, THREADLINE_PROXY="1")
    assert refused.returncode == 2
    assert "user create" not in refused.stderr and "key create" in refused.stderr
    key = manage(fresh, "key", "create", "shop").stdout.strip()
    assert re.fullmatch("tlk_[A-Za-z0-9]{32}", key)
    running = product.start(fresh, [web, otlp, rpc], ("--host", "0.0.0.0"), SAFE)
    try:
        product.wait_ready(running)
        assert "without THREADLINE_PROXY=1 everybody seems to come from its address" in running.said
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
    # What erases brings the database itself where nobody has it.
    forgot = manage(fresh, "forget", "order", "none", "--yes", **SAFE)
    assert "Nothing is known of order none" in forgot.stdout + forgot.stderr


@pytest.fixture
def command(clean_store: None, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """A command in this process; what it prints, or the sentence with which it ends."""

    def run(*words: str, told: str = "") -> str:
        monkeypatch.setattr("sys.stdin", io.StringIO(told))
        out, err = io.StringIO(), io.StringIO()
        try:
            call_command(*words, stdout=out, stderr=err)
        except Sentence as sentence:
            return str(sentence)
        return out.getvalue()

    return run


def test_users_by_command(command: Callable[..., str]) -> None:
    create = ("user", "create", "Otto", "--role", "operator", "--password-stdin")
    assert "operator" in command(*create, told="a fine password\n")
    assert "cannot be taken" in command("user", "create", "eve", "--password-stdin", told="12345\n")
    assert "There is a user otto already" in command("user", "create", "OTTO")
    assert "administrator now" in command("user", "role", "otto", "administrator")
    assert "shown only now" in command("user", "password", "otto")
    assert "otto  administrator, never signed in" in command("user", "list")
    token = command("token", "create", "otto", "nightly", "--role", "viewer", "--days", "7")
    assert re.fullmatch("tlt_[A-Za-z0-9]{32}", token.strip())
    assert "otto  nightly" in command("token", "list")
    assert "revoked" in command("token", "revoke", "otto", "nightly")
    assert "no token" in command("token", "revoke", "otto", "nightly")
    assert "removed" in command("user", "remove", "otto")
    assert "There is no user 'otto'" in command("user", "role", "otto", "viewer")


def test_keys_by_command(command: Callable[..., str]) -> None:
    assert re.fullmatch("tlk_[A-Za-z0-9]{32}", command("key", "create", "billing", "--limit", "500").strip())
    assert "at most 500 records a second" in command("key", "list")
    assert "any number" in command("key", "limit", "billing")
    assert "is revoked" in command("key", "revoke", "billing")
    assert "There is a key billing already" in command("key", "create", "billing")
    assert "There is no key 'x'" in command("key", "revoke", "x")


def test_a_demo_without_a_key_is_told_how_to_get_one(
    up: Running, home: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = manage(home, "key", "create", f"demo {os.getpid()}").stdout.strip()
    ports = (up.otlp.rpartition(":")[2], up.grpc.rpartition(":")[2])
    more = dict(zip(("THREADLINE_OTLP_PORT", "THREADLINE_GRPC_PORT"), ports, strict=True))
    assert (
        "This Threadline asks for a key"
        in manage(home, "demo", "--orders", "1", "--hours", "1", **more).stderr
    )
    settings.OTLP_PORT = int(ports[0])
    for key, is_taken in ((secret, True), ("tlk_wrong", False)):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"x-threadline-key={key}")
        with contextlib.nullcontext() if is_taken else pytest.raises(Sentence, match="asks for a key"):
            welcome("")
    told = manage(home, "demo", "--orders", "1", "--hours", "1", **more, THREADLINE_KEY=secret)
    assert told.returncode == 0 and "Sent" in told.stdout, told.stderr
    owned = manage(home, "demo", "--own-key", "--orders", "1", "--hours", "1", "--seed", "2", **more)
    assert owned.returncode == 0, owned.stderr
    assert "the demo of process" not in manage(home, "key", "list").stdout


def test_the_deployment_check_finds_nothing(tmp_path: Path) -> None:
    ended = manage(tmp_path, "check", "--deploy", **SAFE)
    assert ended.returncode == 0 and "no issues" in ended.stdout + ended.stderr, ended.stderr
