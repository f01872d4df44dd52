"""The tags of a shared page, read as Slack, Teams and Mastodon document that they read them."""

from html.parser import HTMLParser
from urllib.parse import urlsplit

import html5lib
import pytest
from django.conf import LazySettings
from django.template.loader import render_to_string
from hypothesis import given
from hypothesis import strategies as st

from tests.test_layout_card import ORDER, STRIP
from timeline import unfurl
from timeline.layout.card import Card, Mark, Subject

BASE = "https://threadline.example"
EVIL = "\"><script>alert(1)</script>'&lt;"


class Head(HTMLParser):
    """What a crawler takes from a page: the first of each meta, by property or by name, its title and its links."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.meta: dict[str, str] = {}
        self.links: list[dict[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "meta" and (name := told.get("property") or told.get("name")):
            self.meta.setdefault(name.lower(), told.get("content", ""))
        if tag == "link":
            self.links.append(told)


def head(card: Card | None, settings: LazySettings | None = None) -> Head:
    if settings is not None:
        settings.URL = BASE
    context = unfurl.context(card, "/s/token", "/s/token/card.png")
    return Head(f"<head>{render_to_string('share/tags.html', context)}</head>")


def slack(page: Head) -> dict[str, str]:
    """oEmbed first, then Twitter's tags, then Open Graph's, then the page's own description."""
    assert not [link for link in page.links if "oembed" in link.get("type", "")]
    meta = page.meta
    return {
        "site": meta.get("og:site_name", ""),
        "title": meta.get("twitter:title") or meta.get("og:title", ""),
        "text": meta.get("twitter:description") or meta.get("og:description") or meta.get("description", ""),
        "image": (meta.get("twitter:image") or meta.get("og:image", ""))
        if meta.get("twitter:card") == "summary_large_image"
        else "",
    }


def teams(page: Head) -> dict[str, str]:
    """Open Graph alone; the picture has to be https and say how large it is to be shown large."""
    return {name: page.meta.get(f"og:{name}", "") for name in ("title", "description", "image", "url")}


def mastodon(page: Head) -> dict[str, str]:
    """No oEmbed: Open Graph by `property` or by `name`, the page's address from its canonical link."""
    canonical = [link["href"] for link in page.links if link.get("rel") == "canonical"]
    meta = page.meta
    return {
        "url": (canonical or [meta.get("og:url", "")])[0],
        "title": meta.get("og:title", ""),
        "text": meta.get("og:description", ""),
        "image": meta.get("og:image", ""),
        "alt": meta.get("og:image:alt", ""),
        "provider": meta.get("og:site_name", ""),
    }


def test_slack_shows_title_text_and_a_large_picture(settings: LazySettings) -> None:
    seen = slack(head(ORDER, settings))
    assert seen["site"] == "Threadline"
    assert seen["title"] == "order 4711: stuck 3 h 12 m · paid"
    assert seen["text"].startswith(
        "Waiting for shipment.created from wms since 27 Nov 14:55 UTC. First error: "
    )
    assert seen["image"] == f"{BASE}/s/token/card.png"


def test_teams_shows_the_same(settings: LazySettings) -> None:
    page = head(ORDER, settings)
    seen = teams(page)
    assert seen["title"] == slack(page)["title"]
    assert seen["description"] == slack(page)["text"]
    assert urlsplit(seen["image"]).scheme == urlsplit(seen["url"]).scheme == "https"
    assert (page.meta["og:image:width"], page.meta["og:image:height"]) == ("1200", "630")
    assert page.meta["og:image:type"] == "image/png"


def test_mastodon_shows_the_same_and_describes_the_picture(settings: LazySettings) -> None:
    seen = mastodon(head(ORDER, settings))
    assert seen["url"] == f"{BASE}/s/token"
    assert seen["provider"] == "Threadline"
    assert seen["alt"].startswith("order 4711: stuck 3 h 12 m · paid. Waiting for ")
    # Mastodon keeps descriptions of pictures up to 1,500 characters.
    assert 0 < len(seen["alt"]) <= 420


def test_a_page_that_is_not_public_says_the_product_alone(settings: LazySettings) -> None:
    page = head(None, settings)
    assert page.meta == {
        "robots": "noindex, nofollow, noarchive",
        "og:site_name": "Threadline",
        "og:type": "website",
        "og:title": "Threadline",
    }
    assert page.links == []


def test_no_page_is_to_be_indexed(settings: LazySettings) -> None:
    assert "noindex" in head(ORDER, settings).meta["robots"]


@given(title=st.text(max_size=300), word=st.text(max_size=200), place=st.text(max_size=200))
def test_whatever_a_sender_wrote_the_tags_stay_short_and_whole(title: str, word: str, place: str) -> None:
    subject = Subject(title, Mark("■", word, "bad"), title, STRIP)
    for subjects in ((subject,), (subject, subject)):
        page = head(Card(place, subjects, (), place, "as of now"))
        assert len(page.meta["og:title"]) <= 200
        assert len(page.meta["og:description"]) <= unfurl.LONGEST_TEXT
        assert {"og:image", "og:url", "twitter:card"} <= page.meta.keys()
        assert all(value.isprintable() for value in page.meta.values())


SUBJECT = Subject(EVIL, Mark("■", EVIL, "bad"), EVIL, STRIP)


@pytest.mark.parametrize("card", [ORDER, None, Card(EVIL, (SUBJECT,), (), EVIL, EVIL)])
def test_the_tags_are_strict_html(card: Card | None) -> None:
    told = render_to_string("share/tags.html", unfurl.context(card, "/s/a?b&c", "/s/a.png"))
    page = f"<!doctype html><html lang='en'><head><title>x</title>{told}</head><body></body></html>"
    html5lib.HTMLParser(strict=True).parse(page)
    assert "<script" not in told
