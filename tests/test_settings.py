"""The environment as settings: what is taken, and the one sentence for what is not."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.product import ROOT, environ

REFUSED = [
    ({"THREADLINE_PORT": "web"}, "THREADLINE_PORT must be a whole number, not 'web'."),
    ({"THREADLINE_OTLP_PORT": "70000"}, "THREADLINE_OTLP_PORT must lie between 1 and 65535, not be 70000."),
    ({"THREADLINE_GRPC_PORT": "0"}, "THREADLINE_GRPC_PORT must lie between 1 and 65535, not be 0."),
    ({"THREADLINE_RETENTION_DAYS": "0"}, "THREADLINE_RETENTION_DAYS must lie between 1 and 36500, not be 0."),
    ({"THREADLINE_MAX_DAYS": "1.5"}, "THREADLINE_MAX_DAYS must be a whole number, not '1.5'."),
    ({"THREADLINE_URL": "threadline.example.com"}, "THREADLINE_URL must be an address such as"),
    ({"THREADLINE_CORS_ORIGINS": "https://a.example/x"}, "THREADLINE_CORS_ORIGINS lists origins such as"),
    ({"THREADLINE_EMAIL_URL": "mail.example.com"}, "THREADLINE_EMAIL_URL must be an address such as smtp://"),
    (
        {"THREADLINE_DEADMAN_URL": "hc-ping.com/x"},
        "THREADLINE_DEADMAN_URL must be an address such as https://",
    ),
    ({"THREADLINE_HOME": str(ROOT / "manage.py")}, "THREADLINE_HOME must name a folder"),
    ({"THREADLINE_HOME": "~nobody-is-called-so/x"}, "THREADLINE_HOME begins with the home of somebody"),
    ({"THREADLINE_URL": "http://[fd00::5"}, "THREADLINE_URL must be an address such as"),
    ({"THREADLINE_URL": "http://a.example:99999"}, "THREADLINE_URL must be an address such as"),
    ({"THREADLINE_CORS_ORIGINS": "http://["}, "THREADLINE_CORS_ORIGINS lists origins such as"),
    ({"THREADLINE_DEADMAN_URL": "http://["}, "THREADLINE_DEADMAN_URL must be an address such as"),
    ({"THREADLINE_OIDC_URL": "http://["}, "THREADLINE_OIDC_URL must be an address such as"),
    ({"DATABASE_URL": "mysql://localhost/x"}, "DATABASE_URL must start with postgresql://"),
    ({"DATABASE_URL": "postgresql://localhost"}, "DATABASE_URL names no database"),
    ({"DATABASE_URL": "postgresql://localhost:x/y"}, "DATABASE_URL is not an address"),
]


@pytest.mark.parametrize(("more", "sentence"), REFUSED, ids=lambda value: str(value)[:40])
def test_an_odd_value_is_one_sentence(tmp_path: Path, more: dict[str, str], sentence: str) -> None:
    ended = manage(tmp_path, more, "up")
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.startswith(sentence)
    assert ended.stderr.count("\n") == 1


def test_settings_are_read(tmp_path: Path) -> None:
    more = {
        "THREADLINE_ENVIRONMENT": "staging",
        "THREADLINE_URL": "https://[fd00::5]:8443/",
        "THREADLINE_REDACT": "iban, passport",
        "THREADLINE_CORS_ORIGINS": "https://shop.example.com,http://localhost:3000",
        "DATABASE_URL": "postgresql://ann:p%40ss@db.example:6432/tl?sslmode=require&connect_timeout=9",
    }
    names = "ENVIRONMENT URL REDACT CORS_ORIGINS RETENTION_DAYS EMBEDDED".split()
    script = f"from tracing import settings as s; print([getattr(s, n) for n in {names}]); print(s.DATABASES, s.ALLOWED_HOSTS)"
    ended = subprocess.run(
        [sys.executable, "-c", script],
        env=environ(tmp_path, more),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.splitlines()[0] == str(
        [
            "staging",
            "https://[fd00::5]:8443",
            ("iban", "passport"),
            ("https://shop.example.com", "http://localhost:3000"),
            14,
            False,
        ]
    )
    assert "'[fd00::5]']" in ended.stdout
    assert "'PASSWORD': 'p@ss'" in ended.stdout
    assert "'connect_timeout': '9'" in ended.stdout
    assert "'sslmode': 'require'" in ended.stdout


def test_an_unknown_command_is_one_sentence(tmp_path: Path) -> None:
    ended = manage(tmp_path, {}, "upp")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "There is no command 'upp'; `manage.py help` lists them all.\n"


def test_a_bad_argument_is_one_sentence(tmp_path: Path) -> None:
    ended = manage(tmp_path, {}, "up", "--port", "web")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("argument --port: invalid port value: 'web'; `manage.py up --help` says")


def test_help_needs_no_database(tmp_path: Path) -> None:
    ended = manage(tmp_path / "absent", {}, "up", "--help")
    assert ended.returncode == 0
    assert "--otlp-port" in ended.stdout
    assert not (tmp_path / "absent").exists()


def manage(home: Path, more: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "manage.py", *words],
        env=environ(home, more),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
