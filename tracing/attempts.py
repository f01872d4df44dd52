"""Which try of an operation a record says it is, from the attributes that frameworks declare (pure).

Undeclared retries are inferred from structure by whoever lays out a timeline; this is only what was said.
"""

from typing import Any

# Attribute -> what its first try carries. Sources: semantic conventions and the instrumentations named.
DECLARED: dict[str, int] = {
    "http.request.resend_count": 0,  # absent on the first; also counts redirects and 401 challenges
    "celery.retries": 0,  # absent on the first
    "airflow.task_instance.try_number": 1,
    "bullmq.job.attempts_made": 0,
    "messaging.gcp_pubsub.message.delivery_attempt": 1,
    "messaging.servicebus.message.delivery_count": 1,
    "flow.attempt": 1,
}
_NAMES = frozenset(DECLARED)
# A resend answered by one of these was a redirect or a challenge, not a retry.
NO_RETRY_STATUS = {401, *range(300, 400)}


def declared_attempt(attributes: dict[str, Any]) -> int | None:
    """The attempt's number, 1 for the first; None where nothing declares one."""
    if not attributes:
        return None
    # In the table's order: a record that declares two counts says the same in every process.
    for name in DECLARED:
        number = _whole(attributes.get(name))
        if number is not None:
            return max(1, number - DECLARED[name] + 1)
    return None


def is_retry(attributes: dict[str, Any]) -> bool:
    """Whether the record declares that it is a second or later try."""
    if attributes.keys().isdisjoint(_NAMES):
        return False
    if is_no_retry(attributes):
        return False
    attempt = declared_attempt(attributes)
    return attempt is not None and attempt > 1


def is_no_retry(attributes: dict[str, Any]) -> bool:
    """Whether the record was answered by a redirect or a challenge, under the attribute's new or old name."""
    for name in ("http.response.status_code", "http.status_code"):
        code = attributes.get(name)
        if code is not None and _whole(code) in NO_RETRY_STATUS:
            return True
    return False


def _whole(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.isdecimal() and len(value) < 10:
        return int(value)
    return None
