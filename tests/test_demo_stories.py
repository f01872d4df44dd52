"""The demo against the running product: every story is there after loading, once, however often it is sent.

What makes it send the same bytes is tested in `tests.test_demo`.
"""

import re
import subprocess
import sys
import time
from typing import Any

import pytest

from tests.asking import Json, as_json, ask, every_row
from tests.product import ROOT, Running, environ

ORDERS = 12
SEED = 7


def demo(running: Running, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The demo against the running product, waited for."""
    with begun(running, *arguments) as process:
        said, complained = process.communicate(timeout=240)
    return subprocess.CompletedProcess(process.args, process.returncode, said, complained)


def begun(running: Running, *arguments: str) -> subprocess.Popen[str]:
    more = {
        "THREADLINE_OTLP_PORT": running.otlp.rpartition(":")[2],
        "THREADLINE_GRPC_PORT": running.grpc.rpartition(":")[2],
        "THREADLINE_URL": running.url,
        "PYTHONUNBUFFERED": "1",
    }
    return subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), "demo", *arguments],
        cwd=ROOT,
        env=environ(running.home, more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def told(running: Running) -> dict[str, str]:
    """The demo's stories after loading: what each is about -> its path."""
    done = demo(running, f"--orders={ORDERS}", f"--seed={SEED}")
    assert done.returncode == 0, done.stderr
    pairs = re.findall(r"^  (\S.*)\n    (\S+)$", done.stdout, re.MULTILINE)
    assert all(address.startswith(running.url) for _, address in pairs)
    return {title: address.removeprefix(running.url) for title, address in pairs}


def story(told: dict[str, str], words: str) -> str:
    [path] = [path for title, path in told.items() if words in title]
    return path


def test_every_address_opens(running: Running, told: dict[str, str]) -> None:
    assert len(told) > 20
    for title, path in told.items():
        status, headers, _ = ask(running.url, path)
        if status in (301, 302):
            status, _, _ = ask(running.url, headers["location"].removeprefix(running.url))
        assert status == 200, f"{title}: {path} answered {status}"


def test_a_whole_life_has_its_chapters_and_systems(running: Running, told: dict[str, str]) -> None:
    flow = as_json(running.url, story(told, "A whole life"))["flow"]
    assert flow["state"] == "returned"
    assert {"shop", "billing", "wms", "carrier", "mailer", "fulfilment", "erp"} <= set(flow["services"])
    assert flow["chapters"] > 10
    assert flow["errors"] > 0


def test_systems_disagree_and_a_charge_is_doubled(running: Running, told: dict[str, str]) -> None:
    torn = as_json(running.url, story(told, "Two systems disagree"))["flow"]
    states = {one["system"]: one["state"] for one in torn["systems"]}
    assert (states["shop"], states["wms"]) == ("cancelled", "shipped")
    double = story(told, "A double charge")
    assert len(spans_of(running, double, "POST /charges")) == 2


def test_the_stuck_order_waits_after_its_reservation(running: Running, told: dict[str, str]) -> None:
    flow = as_json(running.url, story(told, "A step that never comes"))["flow"]
    assert flow["state"] == "reserved"
    assert int(flow["last"]) < time.time_ns() - 3_600_000_000_000


def test_log_lines_alone_make_a_flow(running: Running, told: dict[str, str]) -> None:
    flow = as_json(running.url, story(told, "log lines alone"))["flow"]
    assert (flow["spans"], flow["logs"]) == (0, 4)


def test_the_great_traces_are_complete(running: Running, told: dict[str, str]) -> None:
    _, headers, _ = ask(running.url, story(told, "20,000 spans"))
    request = as_json(running.url, headers["location"].removeprefix(running.url))
    assert request["flow"]["spans"] == 20_000
    assert len(request["rows"]) <= 500
    one = as_json(running.url, story(told, "its own part only"))
    assert one["flow"]["spans"] < 10 < one["flow"]["spans"] + 30
    job = as_json(running.url, story(told, "handles 1,000 orders"))
    assert job["flow"]["related"] == 4_000


def test_secrets_do_not_survive(running: Running, told: dict[str, str]) -> None:
    rows = every_row(running.url, story(told, "A declined card"))
    provider = next(row for row in rows if row["name"] == "POST /v1/charges")
    record = as_json(running.url, f"/record/{provider['trace_id']}/{provider['span_id']}")
    assert "41111111" not in str(record)
    assert "psp.card_number" in record["attributes"]


def test_the_senders_oddities_are_seen(running: Running, told: dict[str, str]) -> None:
    def flow(words: str) -> Json:
        _, headers, _ = ask(running.url, path := story(told, words))
        return as_json(running.url, headers.get("location", path).removeprefix(running.url))

    rootless = flow("A root that never arrived")
    assert (rootless["flow"]["status"], rootless["trust"]["orphans"]) == ("open", 1)
    repeated = flow("Sent twice")
    assert repeated["trust"]["resent"] >= repeated["flow"]["spans"] + repeated["flow"]["logs"] == 11
    tries = flow("tries share their ids")
    assert (tries["flow"]["spans"], tries["trust"]["versions"]) == (3, 1)
    spans = {row["name"]: row for row in flow("A clock 2.4 s ahead")["rows"] if row["row"] == "span"}
    asked = spans["POST carrier/labels"]
    assert int(spans["POST /labels"]["start"]) > int(asked["start"]) + int(asked["duration"])


def spans_of(running: Running, path: str, name: str) -> list[Json]:
    return [row for row in every_row(running.url, path) if (row["row"], row["name"]) == ("span", name)]


def test_retries_told_and_untold_and_a_redelivery(running: Running, told: dict[str, str]) -> None:
    said = as_json(running.url, story(told, "Payment retried"))["flow"]
    assert said["retries"] == 2
    untold = story(told, "Label retried")
    [client] = spans_of(running, untold, "POST carrier/labels")
    assert [row["parent"] for row in spans_of(running, untold, "POST /labels")] == [client["id"]] * 3
    folded = as_json(running.url, untold)["rows"]
    [group] = [row for row in folded if row["row"] == "retries"]
    assert (group["count"], group["marks"], group["why"]) == (
        3,
        ["inferred"],
        "several servers under one call",
    )
    offsets = []
    for row in spans_of(running, story(told, "delivered twice"), "orders process"):
        record = as_json(running.url, f"/record/{row['trace_id']}/{row['span_id']}")
        offsets.append(record["attributes"]["messaging.kafka.offset"])
    assert len(offsets) == 2
    assert len(set(offsets)) == 1


def test_a_second_run_adds_nothing(running: Running, told: dict[str, str]) -> None:
    def everything() -> list[Any]:
        kept = []
        for path in told.values():
            _, headers, _ = ask(running.url, path)
            page = as_json(running.url, headers.get("location", path).removeprefix(running.url))
            page.get("trust", {}).pop("resent", None)
            page.get("trust", {}).pop("late", None)
            # What depends on the course of time: the judge goes on while the demo runs again.
            for name in ("verdict", "waiting_for", "problems"):
                page.get("flow", {}).pop(name, None)
            page["rows"] = [
                row for row in page.get("rows", []) if row["row"] not in ("flip", "ghost", "notification")
            ]
            page.pop("total_rows", None)
            page.pop("next", None)  # a cursor holds the watermark, which moves with every transaction
            kept.append(page)
        return kept

    before = everything()
    again = demo(running, f"--orders={ORDERS}", f"--seed={SEED}")
    assert again.returncode == 0, again.stderr
    assert everything() == before


def test_live_goes_on_after_the_history_and_ends_when_told(running: Running, told: dict[str, str]) -> None:
    def newest() -> set[str]:
        page = as_json(running.url, "/flows?kind=entity&type=order&limit=50")
        return {flow["key"] for flow in page["flows"]}

    known = newest()
    process = begun(running, f"--orders={ORDERS}", f"--seed={SEED}", "--live")
    try:
        deadline = time.monotonic() + 60
        while not newest() - known:
            assert process.poll() is None, process.stderr and process.stderr.read()
            assert time.monotonic() < deadline, "no new order within a minute"
            time.sleep(0.5)
        process.terminate()
        said, complained = process.communicate(timeout=10)
    finally:
        process.kill()
    assert (process.returncode, complained) == (0, "")
    assert said.startswith("The shop is open")  # the history was sent before and is not sent again
