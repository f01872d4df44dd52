"""What may be (part of) a flow's key: which attribute names are looked at, and which of their values name something (pure).

`correlation` asks for every attribute that a rule names; `rules` asks when it looks for attributes without a rule.
"""

from typing import Any

from tracing.values import is_storable

# Never a business key, whatever it ends in: they name machines, not matters.
INFRASTRUCTURE = frozenset("host container process k8s telemetry service".split())
# A business noun with a prefix is not looked for in here: these namespaces have rules of their own (`bullmq.job.id`),
# or accounts, tasks and subscriptions that belong to whoever runs the machines (`cloud.account.id`, `aws.ecs.task.id`).
TECHNICAL = INFRASTRUCTURE | frozenset(
    "messaging bullmq celery airflow prefect temporal sidekiq faas cicd gen_ai cloud aws azure gcp".split()
)
# What conventions name is seldom a matter, so it is not proposed as one; a rule may name it all the same.
CONVENTIONAL = TECHNICAL | frozenset(
    "http net network url db rpc os device thread deployment webengine browser code exception feature_flag server"
    " client peer user_agent".split()
)
NOT_A_KEY = frozenset(
    ("", "undefined", "null", "none", "nil", "0", "anonymous", "unknown", "n/a", "nan", "-")
)
MAX_KEY = 400  # characters: an index row holds 2,704 bytes, a character takes up to four


def key_part(value: Any) -> str | None:
    """An attribute's value as (part of) a key; None where it names nothing: empty, a placeholder, no scalar, too long."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        value = str(value)
    elif isinstance(value, float):
        value = str(int(value)) if value.is_integer() else str(value)
    if not isinstance(value, str):
        return None
    part: str = value.strip()
    if len(part) > MAX_KEY or part.lower() in NOT_A_KEY or not is_storable(part):
        return None
    return part


def flat(body: dict[str, Any], prefix: str = "", depth: int = 3) -> dict[str, Any]:
    """A map body as attributes: {"order": {"id": 1}} reads as `order.id`. Tagged values stay whole."""
    found: dict[str, Any] = {}
    for name, value in body.items():
        if isinstance(value, dict) and depth and not any(key.startswith("$") for key in value):
            found |= flat(value, f"{prefix}{name}.", depth - 1)
        else:
            found[prefix + name] = value
    return found
