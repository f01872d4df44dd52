"""Signing in by the word of a provider that is not ours: the example of zitadel/oidc, a certified library, in Go.

`tests/providers/go` pins its version, `tests.toolchains` builds it: `pytest -m slow tests/test_oidc_certified.py`. It has
two users of its own; as the claim that gives a role their language serves, which it tells as `locale`.
"""

import html
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests

from tests import product
from tests.product import Running
from tests.toolchains import installed
from tracing.postgres import wait_until

pytestmark = pytest.mark.slow
SOURCE = Path(__file__).parent / "providers" / "go"
PASSWORD = "verysecure"


@pytest.fixture(scope="module")
def provider() -> Path:
    build = ["go", "build", "-o", "provider", "github.com/zitadel/oidc/v3/example/server"]
    return installed(SOURCE, ("go.mod", "go.sum"), build) / "provider"


@pytest.fixture(scope="module")
def signing_in(provider: Path) -> Iterator[Running]:
    web, otlp, grpc, issuer = product.free_ports(4)
    more = {
        "THREADLINE_OIDC_URL": f"http://localhost:{issuer}/",
        "THREADLINE_OIDC_CLIENT_ID": "web",
        "THREADLINE_OIDC_CLIENT_SECRET": "secret",
        "THREADLINE_OIDC_ROLE_CLAIM": "locale",
        "THREADLINE_OIDC_ROLES": "de=operator, en=viewer",
    }
    callback = f"http://127.0.0.1:{web}/oidc/provider/login/callback/"
    with tempfile.TemporaryDirectory(prefix="threadline-test-") as name:
        home = Path(name)
        with Path(home, "provider.log").open("wb") as log:
            settings = os.environ | {"PORT": str(issuer), "REDIRECT_URI": callback}
            serving = subprocess.Popen([provider], env=settings, stdout=log, stderr=log)
            running = product.start(home, [web, otlp, grpc], more=more)
            try:
                product.wait_ready(running)
                command = ["user", "create", "ada", "--role=administrator"]
                subprocess.run(
                    [sys.executable, str(product.ROOT / "manage.py"), *command],
                    env=product.environ(home, more), check=True, capture_output=True, cwd=product.ROOT,
                )  # fmt: skip
                assert wait_until(lambda: product.status(f"{running.url}/account?format=json") == 401, 10)
                yield running
            finally:
                product.end(running)
                product.forget(home)
                serving.terminate()
                serving.wait(10)


def visit(running: Running, username: str, password: str) -> requests.Response:
    """A new browser asks to sign in, fills the provider's own form, and is led back."""
    browser = requests.Session()
    browser.trust_env = False
    form = browser.get(f"{running.url}/oidc/provider/login/?next=/settings/", timeout=20)
    assert "localhost" in form.url, form.text
    fields = {
        name: html.unescape(value)
        for name, value in re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', form.text)
    }
    (action,) = re.findall(r'<form[^>]*action="([^"]+)"', form.text)
    filled = fields | {"username": username, "password": password}
    return browser.post(urljoin(form.url, html.unescape(action)), filled, timeout=20)


def test_it_signs_people_in_with_the_role_of_their_claim(signing_in: Running) -> None:
    answer = visit(signing_in, "test-user@localhost", PASSWORD)
    assert answer.url == f"{signing_in.url}/settings/", answer.text
    assert "test-user@localhost · operator" in answer.text


def test_a_wrong_password_there_is_nobody_here(signing_in: Running) -> None:
    answer = visit(signing_in, "test-user2", "wrong")
    assert not answer.url.startswith(signing_in.url) and "test-user2 ·" not in answer.text
