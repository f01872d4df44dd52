"""`/oidc/…`: the way to where one signs in, and the way back. `timeline.oidc` decides who is let in.

Only where THREADLINE_OIDC_URL is set; `timeline.urls` knows these under the names by which allauth asks for them.
"""

import logging

import requests
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.providers.openid_connect import views
from django.http import HttpRequest, HttpResponseBase, QueryDict
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from timeline import oidc
from timeline.access import needs, own_path
from tracing.roles import Role

logger = logging.getLogger(__name__)


@needs(Role.NOBODY, Role.NOBODY)
@never_cache
@require_safe
def start(request: HttpRequest, provider_id: str) -> HttpResponseBase:
    """Nothing of the address goes further but where to come back to."""
    asked = QueryDict(mutable=True)
    asked["next"] = own_path(request.GET.get("next", ""))
    request.GET = asked  # type: ignore[assignment]
    return _answered(request, views.login, provider_id)


@needs(Role.NOBODY, Role.NOBODY)
@never_cache
@require_safe
def back(request: HttpRequest, provider_id: str) -> HttpResponseBase:
    return _answered(request, views.callback, provider_id)


def _answered(request: HttpRequest, view: object, provider_id: str) -> HttpResponseBase:
    assert callable(view)
    try:
        found: HttpResponseBase = view(request, provider_id)
    except ImmediateHttpResponse as told:
        answer: HttpResponseBase = told.response
        return answer
    except (requests.RequestException, ValueError, KeyError) as error:
        logger.warning("signing in elsewhere failed: %s", type(error).__name__)
        return oidc.page(request, oidc.AWAY, 503)
    return found
