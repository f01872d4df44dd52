"""Links of a shared page: its own stay, those elsewhere are text."""

import pytest

from timeline.unlinking import without_ways_out

PATH = "/s/abc"


@pytest.mark.parametrize(
    ("html", "told"),
    [
        ('<a href="/s/abc?x=1">x</a>', None),
        ('<a class="c" href="/s/abc#row">x</a>', None),
        ('<a href="?x=1">x</a>', None),
        ('<a href="/">x</a>', None),
        ('<a href="/static/x.css">x</a>', None),
        ('<a href="https://example.com/">x</a>', None),
        ('<a href="/s/abcd">x</a>', "<span>x</span>"),
        (
            '<a class="name" href="/flow/a/b" hx-boost="false" title="whole">x <b>y</b></a>',
            '<span class="name" title="whole">x <b>y</b></span>',
        ),
        (
            '<a href="/flow/a"\n class="c">x\ny</a><a href="/s/abc">z</a>',
            '<span class="c">x\ny</span><a href="/s/abc">z</a>',
        ),
        ('<abbr href="/flow/a">x</abbr>', None),
    ],
)
def test_links(html: str, told: str | None) -> None:
    assert without_ways_out(html, PATH) == (html if told is None else told)
