"""Services in several languages send with their own unmodified SDK; each order is then one timeline.

The services are in `tests.sdks`, installed by `tests.toolchains`. Go compiles for a minute the first time:
`pytest -m slow tests/test_sdks.py`.
"""

import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest
from django.template.loader import render_to_string

from tests.asking import as_json, every_row, found
from tests.product import Running
from tests.toolchains import installed

SDKS = Path(__file__).parent / "sdks"
Command = list[str]
Sender = Callable[[Running, str], Command]


def python(transport: str) -> Sender:
    def command(running: Running, order: str) -> Command:
        endpoint = f"http://{running.grpc}" if transport == "grpc" else running.otlp
        return [sys.executable, str(SDKS / "sender.py"), transport, endpoint, order]

    return command


def node(transport: str) -> Sender:
    def command(running: Running, order: str) -> Command:
        endpoint = f"http://{running.grpc}" if transport == "grpc" else running.otlp
        install = ["npm", "install", "--no-audit", "--no-fund", "--fetch-retries=0", "--fetch-timeout=20000"]
        program = installed(SDKS / "node", ("package.json",), install, "node")
        shutil.copy(SDKS / "node" / "sender.mjs", program)
        return ["node", str(program / "sender.mjs"), transport, endpoint, order]

    return command


def java(transport: str) -> Sender:
    def command(running: Running, order: str) -> Command:
        endpoint = f"http://{running.grpc}" if transport == "grpc" else running.otlp
        gather = ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib"]
        program = installed(SDKS / "java", ("pom.xml",), gather, "java")
        source = str(SDKS / "java" / "Sender.java")
        return ["java", "-cp", f"{program}/lib/*", source, transport, endpoint, order]

    return command


def golang(running: Running, order: str) -> Command:
    files = ("go.mod", "go.sum", "sender.go")
    program = installed(SDKS / "go", files, ["go", "build", "-o", "sender", "."])
    return [str(program / "sender"), running.otlp, order]


SENDERS = [
    pytest.param("sdk-python-http", python("http"), id="python over http"),
    pytest.param("sdk-python-grpc", python("grpc"), id="python over grpc"),
    pytest.param("sdk-node-http", node("http"), id="node with json"),
    pytest.param("sdk-node-proto", node("proto"), id="node with protobuf, chunked"),
    pytest.param("sdk-node-grpc", node("grpc"), id="node over grpc"),
    pytest.param("sdk-java-http", java("http"), id="java over http with gzip"),
    pytest.param("sdk-java-grpc", java("grpc"), id="java over grpc"),
    pytest.param("sdk-go-http", golang, id="go with gzip, chunked", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("service", "sender"), SENDERS)
def test_an_order_sent_by_an_sdk_is_one_timeline(running: Running, service: str, sender: Sender) -> None:
    order = f"sdk-{uuid.uuid4().hex[:12]}"
    sent = subprocess.run(sender(running, order), capture_output=True, text=True, timeout=60)
    assert sent.returncode == 0, sent.stderr
    path = found(running.url, order)
    assert path == f"/flow/entity/order/{order}"
    flow = as_json(running.url, path)["flow"]
    counts = {name: flow[name] for name in ("spans", "events", "logs", "errors", "related", "services")}
    assert counts == {
        "spans": 2,
        "events": 1,
        "logs": 2,
        "errors": 0,
        "related": 1,
        "services": [service],
    }
    rows = every_row(running.url, path)
    names = sorted(row["name"] or row["text"] for row in rows if row["row"] in ("span", "event", "log"))
    assert names == [
        "POST /orders",
        "SELECT stock",
        "charge card",
        "charged",
        "order placed",
        "seen by the ERP",
    ]


def test_services_in_two_languages_share_an_order(running: Running) -> None:
    order = f"sdk-{uuid.uuid4().hex[:12]}"
    for sender in (python("http"), python("grpc"), node("http")):
        subprocess.run(sender(running, order), check=True, capture_output=True, timeout=60)
    flow = as_json(running.url, found(running.url, order))["flow"]
    assert (flow["spans"], flow["logs"], flow["related"]) == (6, 6, 3)
    assert sorted(flow["services"]) == ["sdk-node-http", "sdk-python-grpc", "sdk-python-http"]


def test_the_first_span_by_hand_makes_the_order_it_promises(running: Running) -> None:
    page = render_to_string("now/first.html", {"otlp": running.otlp})
    shell = re.search(r"<pre[^>]*>(trace=.*?)</pre>", page, re.DOTALL)
    assert shell is not None
    subprocess.run(["bash", "-euc", unescape(shell[1])], check=True, timeout=30)
    path = found(running.url, "order+4711")
    assert path == "/flow/entity/order/4711"
    assert as_json(running.url, path)["flow"]["state"] == "created"
