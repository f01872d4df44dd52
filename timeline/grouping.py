"""Attributes in groups a reader looks for: one's own first, then what conventions name.

Pure. The namespaces follow OpenTelemetry's semantic conventions; what none of them claims is the sender's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tracing import stating
from tracing.values import json_bytes

CONVENTIONS = {
    "HTTP": ("http", "url", "user_agent", "client", "server", "network", "net", "tls", "peer"),
    "Database": ("db",),
    "Messaging": ("messaging", "kafka", "celery", "bullmq", "faas", "cloudevents"),
    "Calls": ("rpc", "graphql", "aws", "gcp", "azure"),
    "Models": ("gen_ai", "llm"),
    "Error": ("exception", "error"),
    "Code": ("code", "thread", "process", "otel", "telemetry", "logfire", "log"),
    "Workflow": ("airflow", "prefect", "temporal", "workflow", "cicd", "flow"),
}
OWN = "Attributes"
_GROUP = {namespace: group for group, namespaces in CONVENTIONS.items() for namespace in namespaces}
MOST_OWN = 5  # frames of one's own shown before the whole stack
MOST_TEXT = 20_000  # characters of one value on a page
LIBRARY = (
    "/site-packages/",
    "/dist-packages/",
    "/lib/python",
    "node_modules/",
    "(node:",
    "node:internal",
    "<frozen",
)


@dataclass(frozen=True, slots=True)
class Attribute:
    name: str
    text: str
    redacted: bool
    scalar: bool = True  # one value, which can be looked for as it is written
    misread: str = ""  # why it does not say what its name promises


@dataclass(frozen=True, slots=True)
class Thrown:
    """An exception as an event or a log carries it. Stack lines of the sender's own code are told apart."""

    type: str
    message: str
    stack: list[tuple[str, bool]]

    @property
    def own(self) -> list[str]:
        """The lines of the sender's own code, where they are worth showing before all of a long stack."""
        own = [line for line, is_own in self.stack if is_own]
        return own[:MOST_OWN] if len(own) < len(self.stack) > MOST_OWN else []


def groups(attributes: Mapping[str, Any]) -> list[tuple[str, list[Attribute]]]:
    found: dict[str, list[Attribute]] = {}
    for name in sorted(attributes):
        group = _GROUP.get(name.split(".", 1)[0], OWN)
        found.setdefault(group, []).append(attribute(name, attributes[name]))
    order = [OWN, *CONVENTIONS]
    return sorted(found.items(), key=lambda item: order.index(item[0]))


def attribute(name: str, value: Any) -> Attribute:
    redacted, scalar = value == "[redacted]", not isinstance(value, list | dict)
    return Attribute(name, shortened(as_text(value)), redacted, scalar, stating.misread(name, value))


def shortened(text: str, most: int = MOST_TEXT) -> str:
    """Text as far as a page shows it; the record's JSON has all of it."""
    return (
        text if len(text) <= most else f"{text[:most]}… {len(text) - most:,} more characters in the JSON form"
    )


def as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "empty" if value is None else json_bytes(value).decode()


def thrown(attributes: Mapping[str, Any]) -> Thrown | None:
    """The exception in these attributes, or None."""
    kind, message = attributes.get("exception.type"), attributes.get("exception.message")
    if not kind and not message:
        return None
    stack = str(attributes.get("exception.stacktrace") or "")
    return Thrown(str(kind or "exception"), str(message or ""), _stack(stack))


def _stack(text: str) -> list[tuple[str, bool]]:
    """Lines, and whether each names a place in the sender's own code."""
    lines = []
    for line in text.splitlines()[:400]:
        places = line.lstrip().startswith(("File ", "at "))
        lines.append((line, places and not any(part in line for part in LIBRARY)))
    return lines
