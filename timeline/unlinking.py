"""A page behind a link, for whoever may open nothing else: what would lead them to the page for signing in is text.

One place for all pages, so that none has to know who reads it. The links of the page itself, the brand and what is under
`/static/` stay. Anchors in drawings all lead to the page itself: text there would be nothing.
"""

import re

# Anchors do not nest, and what stands in their attributes is escaped.
_ANCHOR = re.compile(
    r'<a\b(?P<before>[^>]*?)\shref="(?P<href>/[^"]*)"(?P<after>[^>]*)>(?P<inside>.*?)</a>', re.DOTALL
)
_KEPT = re.compile(r'\s(?:class|title)="[^"]*"')


def without_ways_out(html: str, path: str) -> str:
    """The same page with the anchors left that lead to `path`, to files or to the first page."""

    def told(found: re.Match[str]) -> str:
        href = found["href"]
        if href == "/" or href.startswith("/static/") or href.split("?")[0].split("#")[0] == path:
            return found[0]
        kept = "".join(_KEPT.findall(found["before"] + found["after"]))
        return f"<span{kept}>{found['inside']}</span>"

    return _ANCHOR.sub(told, html)
