"""`/settings/`: where the settings' pages are, each with its one number.

The pages themselves are `timeline.views.senders`, `rules` and `notifications`.
"""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from timeline.answers import page_answer
from tracing.models import Rule, Sender
from tracing.people import Channel, Route


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    context = {
        "senders": Sender.objects.exclude(service="").count(),
        "rules": Rule.objects.filter(enabled=True).count(),
        "channels": Channel.objects.filter(enabled=True).count(),
        "routes": Route.objects.filter(enabled=True).count(),
    }
    return page_answer(request, "settings/overview.html", context)
