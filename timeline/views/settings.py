"""`/settings/`: where the settings' pages are, each with its one number.

The pages themselves are `timeline.views.senders` and `timeline.views.rules`.
"""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from tracing.models import Rule, Sender


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    context = {
        "senders": Sender.objects.exclude(service="").count(),
        "rules": Rule.objects.filter(enabled=True).count(),
    }
    return render(request, "settings/overview.html", context)
