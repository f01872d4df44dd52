"""A file by page in a real browser: downloaded from a flow's page, imported again, and its flow opened."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.shop import fill
from tracing.storing import Store

pytestmark = pytest.mark.browser


@pytest.fixture
def shop(page: Page, store: Store, served: str) -> Iterator[str]:
    """A filled shop's address; whatever the browser complained about fails the test."""
    complaints: list[str] = []
    page.on(
        "console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    fill(store)
    yield served
    assert complaints == []


@pytest.mark.parametrize("form", ["OTLP JSON", "Jaeger JSON"])
def test_a_flow_is_downloaded_and_imported(page: Page, shop: str, tmp_path: Path, form: str) -> None:
    page.goto(f"{shop}/flow/entity/order/4711")
    page.get_by_text("Download ▾").click()
    with page.expect_download() as coming:
        page.get_by_role("link", name=f"{form}, every record").click()
    file = tmp_path / coming.value.suggested_filename
    coming.value.save_as(file)
    assert file.name in ("order-4711.otlp.json", "order-4711.jaeger.json")
    page.goto(f"{shop}/settings/")
    page.get_by_role("link", name="Import").first.click()
    page.set_input_files("#file", file)
    page.get_by_role("button", name="Import").click()
    said = page.locator("#outcome")
    expect(said).to_contain_text("0 stored")
    expect(said).to_contain_text("already there, 0 refused")
    said.get_by_role("link", name="order 4711").click()
    expect(page.locator("h1")).to_contain_text("order 4711")


def test_a_file_that_is_none_is_a_sentence(page: Page, store: Store, served: str, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing of the kind")
    page.goto(f"{served}/import")
    page.set_input_files("#file", tmp_path / "notes.txt")
    page.get_by_role("button", name="Import").click()
    expect(page.locator(".note.bad")).to_contain_text(
        "notes.txt cannot be read. It holds neither OTLP JSON nor Jaeger JSON"
    )


def test_a_pasted_address_of_jaeger_opens_the_record(page: Page, shop: str) -> None:
    from tests.builders import BASE_NS, span_id
    from tests.shop import PLACED

    root = span_id(f"POST /orders {BASE_NS} {PLACED.hex()}").hex()
    page.goto(f"{shop}/flows")
    page.keyboard.press("/")
    page.keyboard.insert_text(f"https://jaeger.example/trace/{PLACED.hex()}?uiFind={root}")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/flow/request/trace/{PLACED.hex()}?record=s-{PLACED.hex()}-{root}")
    expect(page.locator("#record")).to_contain_text("POST /orders")
