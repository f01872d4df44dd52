"""A flow's page by size: the first rows and a jump to the middle, on the server, over the wire and in Chromium.

    uv run python -m tests.bench.timeline [--runs 7] [--largest 1000000]

Requests of 1,000 to 1,000,000 spans and an order of 5,000 chapters. Prints one JSON line. Server times are medians of
interleaved runs in milliseconds: `first` and `middle` as a page that was read before is answered, `cold` after the
pages' process let go of what it kept. `prepare_s` is how long the largest took until its first rows were there.
`browser` is Chromium's time to the first row and until it settled; `bytes` are those of one window, gzip.
"""

import argparse
import gzip
import json
import random
import statistics
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from tests import product
from tests.bench.memory import pss_by_process
from tests.bench.pages import send, story, tree
from tests.conftest import CHROMIUMS

LIMITS = {
    "server_ms": {"request_100k": 300, "request_1m_first": 2_000, "request_1m_other": 400},
    "settled_ms": {"request_100k": 1_000},
    "bytes": 250_000,
}
SIZES = {"request_1k": 1_000, "request_10k": 10_000, "request_100k": 100_000, "request_1m": 1_000_000}
CHAPTERS = 5_000
PREPARING = b"<progress"
SETTLED = """() => new Promise(done => {
  const first = performance.getEntriesByType('paint').find(entry => entry.name === 'first-contentful-paint');
  const end = () => requestAnimationFrame(() => setTimeout(() => done([first?.startTime ?? 0, performance.now()])));
  if (document.readyState === 'complete') end(); else addEventListener('load', end);
})"""


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--runs", type=int, default=7)
    options.add_argument("--largest", type=int, default=1_000_000)
    asked = options.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="threadline-bench-") as home,
        product.started(Path(home)) as running,
    ):
        flows = fill(running, asked.largest)
        print(json.dumps({"bench": "timeline", **measured(running, flows, asked.runs), "limits": LIMITS}))


def fill(running: product.Running, largest: int) -> dict[str, tuple[str, int]]:
    """Path and rows of each flow, by name."""
    source = random.Random(4711)
    now_ns = time.time_ns() - 3_600_000_000_000
    flows = {}
    for name, count in SIZES.items():
        if count <= largest:
            trace = source.randbytes(16)
            send(running, tree(source, trace, count, now_ns))
            flows[name] = (f"/flow/request/trace/{trace.hex()}?expand=all", count)
    send(running, story(source, now_ns - CHAPTERS * 10_000_000_000, CHAPTERS))
    flows["order_5k_chapters"] = ("/flow/entity/order/long-story", CHAPTERS)
    return flows


def measured(running: product.Running, flows: dict[str, tuple[str, int]], runs: int) -> dict[str, Any]:
    prepare_s = {name: round(prepared(running.url + path), 1) for name, (path, _) in flows.items()}
    times: dict[str, dict[str, list[float]]] = {name: {"first": [], "middle": []} for name in flows}
    sizes: dict[str, int] = {}
    for _ in range(runs):
        for name, (path, rows) in flows.items():
            for what, more in (("first", ""), ("middle", f"at={rows // 2}")):
                took, size = fetch(running.url + path + more_of(path, more))
                times[name][what].append(took * 1e3)
                sizes[name] = max(size, sizes.get(name, 0))
    cold: dict[str, list[float]] = {name: [] for name in flows if flows[name][1] <= 100_000}
    for number in range(runs):
        for name in cold:
            path, _ = flows[name]
            address = f"{running.url}{path.split('?')[0]}?clock={'raw' if number % 2 else ''}"
            cold[name].append(fetch(address, forget=running)[0] * 1e3)
    return {
        "server_ms": {
            name: {what: round(statistics.median(values), 1) for what, values in told.items()}
            for name, told in times.items()
        },
        "cold_ms": {name: round(statistics.median(values), 1) for name, values in cold.items()},
        "prepare_s": prepare_s,
        "bytes": sizes,
        "browser_ms": in_browser(running.url, flows, runs),
        "memory_mb": pss_by_process(running),
    }  # fmt: skip


def more_of(path: str, more: str) -> str:
    return ("&" if "?" in path else "?") + more if more else ""


def prepared(address: str) -> float:
    """Seconds until the page has rows, asked as its reader's browser does."""
    began = time.perf_counter()
    while PREPARING in read(address):
        time.sleep(0.1)
    return time.perf_counter() - began


def read(address: str) -> bytes:
    asked = urllib.request.Request(address, headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(asked) as answer:
        return gzip.decompress(answer.read())


def fetch(address: str, forget: product.Running | None = None) -> tuple[float, int]:
    """Seconds until the whole answer is here, and its size as sent."""
    if forget is not None:
        send(forget, tree(random.Random(time.time_ns()), address_trace(address), 1, time.time_ns()))
    asked = urllib.request.Request(address, headers={"Accept-Encoding": "gzip"})
    began = time.perf_counter()
    with urllib.request.urlopen(asked) as answer:
        body = answer.read()
    took = time.perf_counter() - began
    if PREPARING in gzip.decompress(body):
        raise SystemExit(f"{address} answered with its progress, not with rows")
    return took, len(body)


def address_trace(address: str) -> bytes:
    """The trace of a request's address; a span more makes everything that was kept of it old."""
    key = address.split("?")[0].rsplit("/", 1)[1]
    return bytes.fromhex(key) if len(key) == 32 else bytes(15) + b"\x01"


def in_browser(url: str, flows: dict[str, tuple[str, int]], runs: int) -> dict[str, dict[str, float]]:
    with sync_playwright() as playwright:
        chromium = next(str(path) for path in CHROMIUMS if path.exists())
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        told: dict[str, list[list[float]]] = {name: [] for name in flows}
        for _ in range(min(runs, 5)):
            for name, (path, rows) in flows.items():
                told[name].append(opened(browser, url + path + more_of(path, f"at={rows // 2}")))
        browser.close()
    return {
        name: {
            what: round(statistics.median(values), 0)
            for what, values in zip(("first_row", "settled"), zip(*runs_told, strict=True), strict=True)
        }
        for name, runs_told in told.items()
    }


def opened(browser: Browser, address: str) -> list[float]:
    """Milliseconds from asking to the first paint with a row in it, and until loaded and drawn."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(address, wait_until="commit")
    page.wait_for_selector(".row")
    found: list[float] = page.evaluate(SETTLED)
    page.close()
    return found


if __name__ == "__main__":
    main()
