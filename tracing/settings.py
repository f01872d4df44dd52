"""Django's settings, and the only reader of the environment.

Every `THREADLINE_*` variable is read here, checked, and described in the README's settings table;
a missing or odd value is one clear sentence at start. Where the embedded database lies is `tracing.cluster`.
"""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tracing import clock, cluster, database, mail
from tracing.sentence import Sentence

BASE_DIR = Path(__file__).resolve().parent.parent


def text(name: str, default: str) -> str:
    return os.environ.get(name, "").strip() or default


def number(name: str, default: int, least: int, most: int) -> int:
    value = text(name, str(default))
    try:
        found = int(value)
    except ValueError:
        raise Sentence(f"{name} must be a whole number, not {value!r}.") from None
    if not least <= found <= most:
        raise Sentence(f"{name} must lie between {least} and {most}, not be {found}.")
    return found


def port(name: str, default: int) -> int:
    return number(name, default, 1, 65535)


def words(name: str) -> tuple[str, ...]:
    """A list separated by commas; nothing when unset."""
    return tuple(word.strip() for word in text(name, "").split(",") if word.strip())


def folder(name: str, default: Path) -> Path:
    """An absolute folder; a relative one lies in the folder the command was started from."""
    value = Path(text(name, str(default))).expanduser().absolute()
    if value.exists() and not value.is_dir():
        raise Sentence(f"{name} must name a folder, and {value} is a file.")
    return value


def web_address(name: str, default: str) -> str:
    value = text(name, default).rstrip("/")
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise Sentence(f"{name} must be an address such as https://threadline.example.com, not {value!r}.")
    return value


def ping_address(name: str) -> str:
    """An address to call, or nothing. It may hold a secret, so the sentence does not repeat it."""
    value = text(name, "")
    parts = urlsplit(value)
    if value and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise Sentence(f"{name} must be an address such as https://hc-ping.com/your-check.")
    return value


def origins(name: str) -> tuple[str, ...]:
    found = words(name)
    for origin in found:
        parts = urlsplit(origin)
        if origin != "*" and (parts.scheme not in ("http", "https") or not parts.netloc or parts.path):
            raise Sentence(f"{name} lists origins such as https://shop.example.com, and {origin!r} is none.")
    return found


HOME = folder("THREADLINE_HOME", BASE_DIR / ".threadline")
ENVIRONMENT = text("THREADLINE_ENVIRONMENT", "production")
RETENTION_DAYS = number("THREADLINE_RETENTION_DAYS", 14, 1, 36_500)
# How long an entity or a workflow keeps its summary after its last record was taken.
FLOW_RETENTION_DAYS = number("THREADLINE_FLOW_RETENTION_DAYS", 400, 1, 36_500)
# How many different days may be stored at once; records of a further day are turned away.
MAX_DAYS = number("THREADLINE_MAX_DAYS", 400, 3, 3_000)
# The largest file that a page takes in; the command has no limit.
IMPORT_MB = number("THREADLINE_IMPORT_MB", 64, 1, 10_000)
# Processes that receive over HTTP: decoding one span after the other keeps a core busy.
RECEIVERS = number("THREADLINE_RECEIVERS", min(2, os.cpu_count() or 1), 1, 32)
HOST = text("THREADLINE_HOST", "127.0.0.1")
PORT = port("THREADLINE_PORT", 8000)
OTLP_PORT = port("THREADLINE_OTLP_PORT", 4318)
GRPC_PORT = port("THREADLINE_GRPC_PORT", 4317)
URL = web_address("THREADLINE_URL", f"http://{f'[{HOST}]' if ':' in HOST else HOST}:{PORT}")
# Further attribute names whose values are redacted on arrival, beside the built-in list.
REDACT = words("THREADLINE_REDACT")
# Web pages (their origins) that may send from a browser; `*` is every page.
CORS_ORIGINS = origins("THREADLINE_CORS_ORIGINS")

# E-mail for notifications; other services have addresses of their own (`/settings/notifications`).
EMAIL = mail.parse("THREADLINE_EMAIL_URL", text("THREADLINE_EMAIL_URL", ""))
EMAIL_FROM = text("THREADLINE_EMAIL_FROM", "threadline@localhost")
# Called every minute while the watcher judges, so that somebody else notices when it does not.
DEADMAN_URL = ping_address("THREADLINE_DEADMAN_URL")

# A file that says what time it is, for drills and tests that judge the past fast (`tracing.clock`).
CLOCK = text("THREADLINE_CLOCK", "")
if CLOCK:
    try:
        clock.follow(Path(CLOCK))
    except (OSError, ValueError):
        raise Sentence(
            f"THREADLINE_CLOCK must name a file of 8 bytes, and {CLOCK} is none. Unset it."
        ) from None

# Nothing is signed while there are no users; Django wants a key all the same.
SECRET_KEY = text("THREADLINE_SECRET", "") or secrets.token_urlsafe(48)
DEBUG = False
# Checked although only loopback is served: another web page must not reach us through a name of its own.
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", urlsplit(URL).hostname or ""]
INSTALLED_APPS = [
    "django.contrib.staticfiles",
    "django_htmx",
    "tracing",
    "timeline",
]
MIDDLEWARE = [
    "tracing.headers.content_security_policy",
    "tracing.unavailable.DatabaseAway",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
# A key may end in a slash, so an address must never be "helpfully" redirected.
APPEND_SLASH = False
ROOT_URLCONF = "tracing.urls"
WSGI_APPLICATION = "tracing.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }
]


def default_database(environ: Mapping[str, str]) -> dict[str, Any]:
    """The database named by DATABASE_URL, else the embedded server of this home."""
    url = environ.get("DATABASE_URL", "").strip()
    found = database.parse(url) if url else cluster.locate(HOME).database()
    # Pages keep a connection a thread, and look at it before use: so they heal as soon as the database is back.
    lasting = {"CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True}
    return {"ENGINE": "django.db.backends.postgresql"} | found | lasting


EMBEDDED = not os.environ.get("DATABASE_URL", "").strip()
DATABASES = {"default": default_database(os.environ)}
# Django's own names for what `mail` read.
EMAIL_HOST: str = EMAIL.get("EMAIL_HOST", "")
EMAIL_PORT: int = EMAIL.get("EMAIL_PORT", 25)
EMAIL_HOST_USER: str = EMAIL.get("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD: str = EMAIL.get("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS: bool = EMAIL.get("EMAIL_USE_TLS", False)
EMAIL_USE_SSL: bool = EMAIL.get("EMAIL_USE_SSL", False)
EMAIL_TIMEOUT: int = mail.TIMEOUT_S
DEFAULT_FROM_EMAIL = EMAIL_FROM
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# One line a message on stderr, which `up` passes on; Django's default would mail administrators.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        "django": {"handlers": [], "propagate": True},
        # A 4xx is the visitor's affair and a 503 is already said once by `up`.
        "django.request": {"level": "ERROR"},
        "django.security.DisallowedHost": {"level": "CRITICAL"},
    },
}
