"""Django's settings, and the only reader of the environment.

Every `THREADLINE_*` variable is read here, checked, and described in the README's settings table;
a missing or odd value is one clear sentence at start.
"""

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent

HOME = Path(os.environ.get("THREADLINE_HOME") or BASE_DIR / ".threadline")
ENVIRONMENT = os.environ.get("THREADLINE_ENVIRONMENT") or "production"
RETENTION_DAYS = int(os.environ.get("THREADLINE_RETENTION_DAYS") or 14)
MAX_DAYS = int(os.environ.get("THREADLINE_MAX_DAYS") or 400)
HOST = os.environ.get("THREADLINE_HOST") or "127.0.0.1"
PORT = int(os.environ.get("THREADLINE_PORT") or 8000)
OTLP_PORT = int(os.environ.get("THREADLINE_OTLP_PORT") or 4318)
GRPC_PORT = int(os.environ.get("THREADLINE_GRPC_PORT") or 4317)
URL = (os.environ.get("THREADLINE_URL") or f"http://{HOST}:{PORT}").rstrip("/")

SECRET_KEY = "local"
DEBUG = False
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", "testserver"]
INSTALLED_APPS = [
    "django.contrib.staticfiles",
    "django_htmx",
    "tracing",
    "timeline",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
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
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "threadline"}}
if os.environ.get("DATABASE_URL"):
    from urllib.parse import unquote, urlsplit

    _url = urlsplit(os.environ["DATABASE_URL"])
    DATABASES["default"] |= {
        "NAME": unquote(_url.path.lstrip("/")),
        "USER": unquote(_url.username or ""),
        "PASSWORD": unquote(_url.password or ""),
        "HOST": _url.hostname or "",
        "PORT": str(_url.port or ""),
    }
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
