"""`/settings/`: where the settings' pages are, each with its one number.

The pages themselves are `timeline.views.senders`, `rules`, `calendars`, `maintenance`, `notifications`,
`storage`, `shares`, `importing`, `people`, `keys` and `audit`.
"""

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from timeline import sharing
from timeline.answers import page_answer
from tracing import senderkeys
from tracing.clock import now_ns
from tracing.models import Rule, Sender
from tracing.people import Calendar, Channel, Maintenance, Route
from tracing.users import User


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    context = {
        "senders": Sender.objects.exclude(service="").count(),
        "rules": Rule.objects.filter(enabled=True).count(),
        "calendars": Calendar.objects.count(),
        "pauses": Maintenance.objects.filter(until_ns__gt=now_ns()).count(),
        "channels": Channel.objects.filter(enabled=True).count(),
        "people": User.objects.filter(is_active=True).count(),
        "keys": senderkeys.valid().count(),
        "routes": Route.objects.filter(enabled=True).count(),
        "days": _stored_days(),
        "links": sharing.open_links().count(),
    }
    return page_answer(request, "settings/overview.html", context)


def _stored_days() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM day WHERE dropped_ns IS NULL")
        return int(cursor.fetchone()[0])
