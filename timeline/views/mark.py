"""`/mark.svg?n=3`: the icon of a tab, with how many problems need a person."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from timeline.access import needs
from tracing.roles import Role

DAY_S = 86_400
MOST = 9
_MARK = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 18 18">'
    '<path d="M2 3.5h6a3 3 0 0 1 0 6H6a3 3 0 0 0 0 6h10" fill="none" stroke="#c2321f" stroke-width="2.4"'
    ' stroke-linecap="round"/>{badge}</svg>'
)
# Large enough to be read at 16 pixels: it covers the thread's end.
_BADGE = (
    '<rect x="{x}" y="6" width="{width}" height="12" rx="6" fill="#b3261e" stroke="#ffffff" stroke-width="1.4"/>'
    '<text x="{middle}" y="15.6" text-anchor="middle" font-family="sans-serif" font-size="10" font-weight="700"'
    ' fill="#ffffff">{text}</text>'
)


@needs(Role.NOBODY, Role.NOBODY)
@require_safe
def mark(request: HttpRequest) -> HttpResponse:
    """Any other number than a small one is drawn as none, or as `9+`: an icon has no sentence to say."""
    asked = request.GET.get("n", "")
    count = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 else 0
    response = HttpResponse(_MARK.format(badge=_badge(count)), content_type="image/svg+xml")
    response.headers["Cache-Control"] = f"public, max-age={DAY_S}"
    return response


def _badge(count: int) -> str:
    if not count:
        return ""
    width = 12 if count <= MOST else 17
    text = str(count) if count <= MOST else f"{MOST}+"
    return _BADGE.format(x=18 - width, width=width, middle=18 - width / 2, text=text)
