"""Large flows: read once, kept within bounds, renewed with what comes, and shown as progress while they are read."""

import re
import threading
import time

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from tests.builders import T1, Service, batch
from timeline import prepared
from timeline.layout.plan import Fold
from timeline.prepared import Shelf
from timeline.queries.pulse import read_pulse
from timeline.summaries import FlowSummary, find_flows
from tracing.storing import Store

PATH = f"/flow/request/trace/{T1.hex()}"
shop = Service("shop")


def put(store: Store, first: int, last: int) -> None:
    root = shop.span("root", 0, 9_000, id="root")
    steps = [shop.span(f"step {n}", n * 5, 4, id=f"s{n}", parent=root) for n in range(first, last)]
    store.put(batch(root, *steps))


def flow() -> FlowSummary:
    (found,) = find_flows("request", "trace", T1.hex())
    return found


@pytest.fixture
def keeping(monkeypatch: pytest.MonkeyPatch, store: Store) -> Store:
    """Everything is large enough to be kept."""
    monkeypatch.setattr(prepared, "KEPT_FROM", 1)
    put(store, 1, 100)
    return store


def take(shelf: Shelf) -> prepared.Kept:
    return shelf.story(flow(), Fold(), None, read_pulse(flow()))


def test_a_story_is_kept_until_something_comes(keeping: Store) -> None:
    shelf = Shelf()
    first = take(shelf)
    assert take(shelf) is first
    assert shelf.size == first.size > 100 * 100
    put(keeping, 100, 101)
    second = take(shelf)
    assert second is not first
    assert len(second.story.forest) == len(first.story.forest) + 1
    assert shelf.size == second.size


def test_folds_that_read_alike_share_a_story(keeping: Store) -> None:
    shelf = Shelf()
    first = take(shelf)
    pulse = read_pulse(flow())
    assert shelf.story(flow(), Fold(folded=frozenset({"s-1"})), None, pulse) is first
    assert shelf.story(flow(), Fold(expand=True), None, pulse) is not first


@pytest.mark.usefixtures("keeping")
def test_bytes_are_bounded() -> None:
    size = take(Shelf()).size
    shelf = Shelf(most_bytes=size + size // 2)
    first = take(shelf)
    shelf.story(flow(), Fold(expand=True), None, read_pulse(flow()))
    assert size // 2 < shelf.size <= size + size // 2
    assert take(shelf) is not first
    none = Shelf(most_bytes=size // 2)
    take(none)
    assert none.size == 0


@pytest.mark.usefixtures("keeping")
def test_what_nobody_asks_for_is_let_go() -> None:
    shelf = Shelf(kept_s=0.05)
    take(shelf)
    assert shelf.size
    time.sleep(1.3)
    assert shelf.size == 0


@pytest.mark.usefixtures("beside")
def test_one_larger_than_all_the_room_is_kept_alone() -> None:
    shelf = Shelf(most_bytes=10)
    first = take(shelf)
    assert take(shelf) is first
    other = shelf.story(flow(), Fold(expand=True), None, read_pulse(flow()))
    assert shelf.size == other.size
    assert take(shelf) is not first


def test_one_timer_looks_after_all(keeping: Store) -> None:
    before = threading.active_count()
    shelf = Shelf(kept_s=0.3)
    for n in range(100, 105):
        put(keeping, n, n + 1)
        take(shelf)
    assert threading.active_count() <= before + 1
    time.sleep(1.8)
    assert shelf.size == 0


def test_programs_get_what_there_is_now(
    beside: Store, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page may show a large flow as it was a moment ago; JSON counts every record that is stored."""
    monkeypatch.setattr(prepared, "AGAIN_S", 60)
    assert "treegrid" in client.get(PATH).content.decode()
    put(beside, 100, 110)
    assert client.get(PATH, {"format": "json", "expand": "all"}).json()["total_rows"] == 110
    assert "110 rows" in client.get(PATH, {"expand": "all"}).content.decode()


def test_what_cannot_be_read_anew_is_shown_as_it_was(beside: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf()
    shelf.coming(flow(), Fold(), None, read_pulse(flow()), patience_s=10)
    before = take(shelf)
    put(beside, 100, 110)
    with monkeypatch.context() as broken:
        broken.setattr(prepared, "read_story", lambda *_: 1 / 0)
        for _ in range(3):
            assert shelf.coming(flow(), Fold(), None, read_pulse(flow())) is None
            assert shelf.story(flow(), Fold(), None, read_pulse(flow()), latest=False) is before
            time.sleep(0.05)
    patience = time.monotonic() + 10
    while shelf.coming(flow(), Fold(), None, read_pulse(flow())) is None and time.monotonic() < patience:
        if shelf.story(flow(), Fold(), None, read_pulse(flow()), latest=False) is not before:
            break
        time.sleep(0.02)
    assert len(shelf.story(flow(), Fold(), None, read_pulse(flow()), latest=False).story.forest) == 111


def test_a_small_flow_is_read_anew(store: Store) -> None:
    put(store, 1, 100)
    shelf = Shelf()
    assert take(shelf) is not take(shelf)
    assert shelf.size == 0


def test_a_cursor_goes_on_as_of_its_page(keeping: Store, client: Client) -> None:
    first = client.get(PATH, {"format": "json", "limit": "60", "expand": "all"}).json()
    put(keeping, 100, 150)
    assert client.get(PATH, {"format": "json", "expand": "all"}).json()["total_rows"] == 150
    rest = client.get(PATH, {"format": "json", "expand": "all", "cursor": str(first["next"])}).json()
    assert (rest["total_rows"], rest["next"]) == (100, None)
    ids = [row["id"] for row in first["rows"] + rest["rows"]]
    assert len(set(ids)) == 100


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch, keeping: Store) -> Store:
    """Everything is so large that it is read beside the request, and nobody waits for it."""
    monkeypatch.setattr(prepared, "BESIDE_FROM", 1)
    monkeypatch.setattr(prepared, "AGAIN_S", 0)
    monkeypatch.setattr(prepared, "SHELF", Shelf())
    monkeypatch.setattr("timeline.window.SHELF", prepared.SHELF)
    return keeping


@pytest.mark.usefixtures("beside")
def test_reading_beside_says_how_far_it_is_and_ends() -> None:
    shelf = Shelf()
    progress = shelf.coming(flow(), Fold(), None, read_pulse(flow()), patience_s=0)
    assert progress is not None
    assert 0 <= progress.share < 1
    assert progress.stage
    assert progress.done.wait(10)
    assert shelf.coming(flow(), Fold(), None, read_pulse(flow()), patience_s=0) is None
    assert len(take(shelf).story.forest) == 101


def test_what_was_read_is_shown_while_the_new_is_read(beside: Store) -> None:
    shelf = Shelf()
    shelf.coming(flow(), Fold(), None, read_pulse(flow()), patience_s=10)
    before = take(shelf)
    put(beside, 100, 110)
    assert shelf.coming(flow(), Fold(), None, read_pulse(flow()), patience_s=0) is None
    patience = time.monotonic() + 10
    pulse = read_pulse(flow())
    assert shelf.story(flow(), Fold(), None, pulse, latest=False).pulse in (before.pulse, pulse.text)
    while shelf.story(flow(), Fold(), None, pulse, latest=False) is before and time.monotonic() < patience:
        time.sleep(0.02)
    assert len(shelf.story(flow(), Fold(), None, pulse, latest=False).story.forest) == 111


@pytest.mark.usefixtures("beside")
def test_a_failure_beside_reaches_who_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    going_away = threading.Event()

    def broken(*_: object) -> None:
        going_away.wait(10)
        raise LookupError("as a database that went away")

    monkeypatch.setattr(prepared, "read_story", broken)
    shelf = Shelf()
    going_away.set()
    with pytest.raises(LookupError):
        shelf.coming(flow(), Fold(), None, read_pulse(flow()), patience_s=10)
    # It fails after whoever asked has gone: the next one is told.
    going_away.clear()
    progress = shelf.coming(flow(), Fold(), None, read_pulse(flow()), patience_s=0)
    assert progress is not None
    going_away.set()
    progress.done.wait(10)
    with pytest.raises(LookupError):
        shelf.coming(flow(), Fold(), None, read_pulse(flow()), patience_s=0)


@pytest.mark.usefixtures("beside")
def test_what_was_read_beside_is_kept_however_few_rows_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A heavy flow reads its open chapters only: few rows, of many records."""
    monkeypatch.setattr(prepared, "KEPT_FROM", 10**6)
    shelf = Shelf()
    assert shelf.coming(flow(), Fold(), None, read_pulse(flow()), patience_s=10) is None
    assert shelf.coming(flow(), Fold(), None, read_pulse(flow()), patience_s=0) is None
    assert take(shelf) is take(shelf)


def test_an_open_record_and_other_requests_beside_it(keeping: Store) -> None:
    shelf = Shelf()
    first = take(shelf)
    pulse = read_pulse(flow())
    own = Fold(opened=frozenset({f"c-{T1.hex()}"}))
    assert shelf.story(flow(), own, None, pulse) is first  # a record of its own is open
    beside = Fold(opened=frozenset({f"c-{'1' * 32}"}))
    other = shelf.story(flow(), beside, None, pulse)
    assert other is not first
    assert take(shelf) is first and shelf.story(flow(), beside, None, pulse) is other


@pytest.mark.browser
@pytest.mark.usefixtures("beside")
def test_a_page_of_progress_becomes_the_flow(
    monkeypatch: pytest.MonkeyPatch, page: Page, served: str, client: Client
) -> None:
    monkeypatch.setattr(Shelf.coming, "__defaults__", (0.0,))
    text = client.get(PATH).content.decode()
    assert re.search(r"Preparing 100 records", text)
    assert "<progress" in text and "treegrid" not in text
    monkeypatch.setattr("timeline.window.SHELF", Shelf())
    page.goto(served + PATH)
    expect(page.get_by_role("treegrid")).to_be_visible()
    expect(page.locator(".row").first).to_contain_text("root")
    assert client.get(PATH, {"format": "json"}).json()["total_rows"] == 100
