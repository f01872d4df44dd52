"""The web port's whole WSGI application: health, OTLP for those who know one address only, and the pages.

`manage.py pages` serves it; any other WSGI server can, too, and then nobody comes in without signing in. The OTLP port has
`manage.py collect` to itself.
"""

import os
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.core.wsgi import get_wsgi_application

from tracing import guarding, health, secret

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from tracing.storing import Store

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tracing.settings")


class Receiving:
    """The OTLP application, built at the first request: most installations never send here."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.application: WSGIApplication | None = None
        self.store: Store | None = None

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        with self.lock:
            if self.application is None:
                self.application = self.build()
        return self.application(environ, start_response)

    def build(self) -> "WSGIApplication":
        from django.conf import settings

        from tracing.database import conninfo
        from tracing.otlp import http
        from tracing.storing import Store

        self.store = Store(conninfo(settings.DATABASES["default"]), settings.ENVIRONMENT, settings.MAX_DAYS)
        return http.application(self.store)

    def close(self) -> None:
        """Finish what is being stored."""
        if self.store is not None:
            self.store.close()


def by_path(receiving: "WSGIApplication", pages: "WSGIApplication") -> "WSGIApplication":
    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        sent = environ.get("PATH_INFO", "").startswith("/v1/")
        return (receiving if sent else pages)(environ, start_response)

    return answer


pages = get_wsgi_application()

from django.conf import settings  # noqa: E402

guarding.served()
if not settings.SECRET:
    settings.SECRET_KEY = secret.kept(settings.HOME)

from tracing.readiness import why_not_ready  # noqa: E402  (needs the applications loaded above)

receiving = Receiving()
application = health.around(by_path(receiving, pages), why_not_ready)
