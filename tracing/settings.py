"""Django's settings, and the only reader of the environment.

Every `THREADLINE_*` variable is read here, checked, and described in the README's settings table;
a missing or odd value is one clear sentence at start. Where the embedded database lies is `tracing.cluster`.
"""

import os
import secrets
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from tracing import clock, cluster, database, mail
from tracing.roles import role_named
from tracing.secret import LEAST as LEAST_SECRET
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
    try:
        value = Path(text(name, str(default))).expanduser().absolute()
    except RuntimeError:
        raise Sentence(f"{name} begins with the home of somebody who is not known here.") from None
    if value.exists() and not value.is_dir():
        raise Sentence(f"{name} must name a folder, and {value} is a file.")
    return value


def address_parts(address: str) -> SplitResult:
    """Its parts; none at all of what is no address, such as one with half a bracket."""
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return SplitResult("", "", "", "", "")
    return parts


def web_address(name: str, default: str) -> str:
    value = text(name, default).rstrip("/")
    parts = address_parts(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise Sentence(f"{name} must be an address such as https://threadline.example.com, not {value!r}.")
    return value


def ping_address(name: str) -> str:
    """An address to call, or nothing. It may hold a secret, so the sentence does not repeat it."""
    value = text(name, "")
    parts = address_parts(value)
    if value and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise Sentence(f"{name} must be an address such as https://hc-ping.com/your-check.")
    return value


def secret(name: str) -> str:
    """Nothing, or something that cannot be guessed. The sentence does not repeat it."""
    value = text(name, "")
    if value and len(value) < LEAST_SECRET:
        raise Sentence(
            f"{name} must have at least {LEAST_SECRET} characters, better 50 random ones, not {len(value)}."
        )
    return value


def yes(name: str) -> bool:
    value = text(name, "0").lower()
    if value not in ("0", "1", "no", "yes", "false", "true"):
        raise Sentence(f"{name} must be 1 or 0, not {value!r}.")
    return value in ("1", "yes", "true")


def roles(name: str) -> dict[str, int]:
    """`ops=operator, sre-leads=administrator`: what a claim says, and the role it gives."""
    found: dict[str, int] = {}
    for pair in words(name):
        claim, _, word = pair.rpartition("=")
        role = role_named(word)
        if not claim.strip() or role is None:
            raise Sentence(
                f"{name} lists pairs such as ops=operator with viewer, operator or administrator, and {pair!r} is none."
            )
        found[claim.strip()] = int(role)
    return found


def default_role(name: str) -> int:
    word = text(name, "")
    role = role_named(word) if word else None
    if word and role is None:
        raise Sentence(f"{name} must be viewer, operator or administrator, or empty, not {word!r}.")
    return int(role or 0)


def origins(name: str) -> tuple[str, ...]:
    found = words(name)
    for origin in found:
        parts = address_parts(origin)
        if origin != "*" and (parts.scheme not in ("http", "https") or not parts.netloc or parts.path):
            raise Sentence(f"{name} lists origins such as https://shop.example.com, and {origin!r} is none.")
    return found


HOME = folder("THREADLINE_HOME", BASE_DIR / ".threadline")
ENVIRONMENT = text("THREADLINE_ENVIRONMENT", "production")
RETENTION_DAYS = number("THREADLINE_RETENTION_DAYS", 14, 1, 36_500)
# How long records of flows with problems, notes and pins are kept, and of requests that failed in a way that was told.
PROBLEM_RETENTION_DAYS = number(
    "THREADLINE_PROBLEM_RETENTION_DAYS", max(90, RETENTION_DAYS), RETENTION_DAYS, 36_500
)
# Where the records of all days take more room than this, the oldest days go before their time; 0 is no limit.
RETENTION_GB = number("THREADLINE_RETENTION_GB", 0, 0, 1_000_000)
# How long an entity or a workflow keeps its summary after its last record was taken.
FLOW_RETENTION_DAYS = number("THREADLINE_FLOW_RETENTION_DAYS", 400, 1, 36_500)
# Room for frozen copies of what was shared or pinned, compressed, outside retention.
SNAPSHOT_BYTES = number("THREADLINE_SNAPSHOT_MB", 1_024, 1, 10_000_000) * 2**20
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
HAS_URL = bool(text("THREADLINE_URL", ""))
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

# Signs sessions. Where it is not set, `tracing.wsgi` takes the one kept in the home (`tracing.secret`).
SECRET = secret("THREADLINE_SECRET")
SECRET_KEY = SECRET or secrets.token_urlsafe(48)
# A proxy in front ends TLS, says so in X-Forwarded-Proto, and whom it speaks for in X-Forwarded-For.
PROXY = yes("THREADLINE_PROXY")
# Whether browsers reach us by https: then cookies travel by nothing else.
IS_HTTPS = PROXY or urlsplit(URL).scheme == "https"
# The API key that `manage.py demo` sends with, and whoever else sends from here by a command.
KEY = text("THREADLINE_KEY", "")

# Sign-in by somebody else's word (`timeline.oidc`); the issuer's address, without /.well-known/….
OIDC_URL = (
    web_address("THREADLINE_OIDC_URL", "https://unset.invalid") if text("THREADLINE_OIDC_URL", "") else ""
)
OIDC_CLIENT_ID = text("THREADLINE_OIDC_CLIENT_ID", "")
OIDC_CLIENT_SECRET = text("THREADLINE_OIDC_CLIENT_SECRET", "")
OIDC_ROLE_CLAIM = text("THREADLINE_OIDC_ROLE_CLAIM", "threadline_role")
OIDC_ROLES = roles("THREADLINE_OIDC_ROLES")
OIDC_DEFAULT_ROLE = default_role("THREADLINE_OIDC_DEFAULT_ROLE")
if OIDC_URL and not (OIDC_CLIENT_ID and OIDC_CLIENT_SECRET):
    raise Sentence(
        "THREADLINE_OIDC_URL needs THREADLINE_OIDC_CLIENT_ID and THREADLINE_OIDC_CLIENT_SECRET beside it."
    )

DEBUG = False
# Checked although only loopback is served: another web page must not reach us through a name of its own.
_hostname = urlsplit(URL).hostname or ""
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", f"[{_hostname}]" if ":" in _hostname else _hostname]
# Loaded, with its tables, only where it is used: it is a third of what a start takes.
ALLAUTH = [
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
]
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_htmx",
    "axes",
    "tracing",
    "timeline",
    *(ALLAUTH if OIDC_URL else []),
]
MIDDLEWARE = [
    "tracing.headers.security",
    "tracing.unavailable.DatabaseAway",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    # Compressed pages hold no secret that stays the same: Django masks the token of a form anew each time (BREACH).
    "django.middleware.gzip.GZipMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "timeline.access.Access",
    "django_htmx.middleware.HtmxMiddleware",
    *(["allauth.account.middleware.AccountMiddleware"] if OIDC_URL else []),
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
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "timeline.sharing.shared",
                "timeline.person.in_templates",
            ]
        },
    }
]

AUTH_USER_MODEL = "tracing.User"
AUTHENTICATION_BACKENDS = [
    # Counts failures and refuses further tries, before a password is looked at.
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
    *(["allauth.account.auth_backends.AuthenticationBackend"] if OIDC_URL else []),
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
_VALIDATION = "django.contrib.auth.password_validation."
AUTH_PASSWORD_VALIDATORS: list[dict[str, Any]] = [
    {
        "NAME": f"{_VALIDATION}UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("username", "name")},
    },
    {"NAME": f"{_VALIDATION}MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": f"{_VALIDATION}CommonPasswordValidator"},
    {"NAME": f"{_VALIDATION}NumericPasswordValidator"},
]
LOGIN_URL = "/login"
LOGIN_REDIRECT_URL = "/"

# allauth, where it is loaded: it speaks OpenID Connect, and who is let in is `timeline.oidc`'s to say.
OIDC_PROVIDER = "provider"
SOCIALACCOUNT_ADAPTER = "timeline.oidc.Adapter"
SOCIALACCOUNT_PROVIDERS: dict[str, Any] = {
    "openid_connect": {
        "OAUTH_PKCE_ENABLED": True,
        "APPS": [
            {
                "provider_id": OIDC_PROVIDER,
                "name": urlsplit(OIDC_URL).hostname or "",
                "client_id": OIDC_CLIENT_ID,
                "secret": OIDC_CLIENT_SECRET,
                "settings": {"server_url": OIDC_URL},
            }
        ],
    }
}
SOCIALACCOUNT_ONLY = True
# Our own page has the button; a page of theirs that asks once more is not to be seen.
SOCIALACCOUNT_LOGIN_ON_GET = True
SOCIALACCOUNT_STORE_TOKENS = False
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if IS_HTTPS else "http"

# Five wrong passwords of one username from one address, then five minutes without a try; more limits in `tracing.tries`.
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=5)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_CLIENT_IP_CALLABLE = "tracing.peers.address_of"
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
# Sign-ins are in the audit; what axes keeps is only what it counts by.
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False
SILENCED_SYSTEM_CHECKS = [
    # Our own sign-in page says how long to wait, and needs no middleware of axes for it.
    "axes.W002",
    # The name's subdomains and a browser's preload list are not ours to decide about.
    "security.W005",
    "security.W021",
    # What ends TLS also leads from http to https: health checks and collectors of this network come without it.
    "security.W008",
]

SESSION_ENGINE = "tracing.sessions"
# "__Host-" binds a cookie to this host by https alone.
SESSION_COOKIE_NAME = "__Host-session" if IS_HTTPS else "session"
SESSION_COOKIE_SECURE = IS_HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 14 * 86_400
CSRF_COOKIE_NAME = "__Host-csrf" if IS_HTTPS else "csrf"
CSRF_COOKIE_SECURE = IS_HTTPS
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
# A form comes from where people see us, which behind a proxy is not where we listen.
CSRF_TRUSTED_ORIGINS = ["{0.scheme}://{0.netloc}".format(urlsplit(URL))]
SECURE_HSTS_SECONDS = 31_536_000 if IS_HTTPS else 0
# The name's other hosts are not ours to bind.
SECURE_HSTS_INCLUDE_SUBDOMAINS = False
SECURE_HSTS_PRELOAD = False
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# What ends TLS also leads from http to https; health checks and OTLP come to us without it.
SECURE_SSL_REDIRECT = False
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if PROXY else None


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
        # Failed sign-ins are in the audit.
        "axes": {"level": "ERROR"},
    },
}
