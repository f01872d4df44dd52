"""Which try a record declares itself to be."""

from typing import Any

import pytest

from tracing.attempts import DECLARED, declared_attempt, is_retry


@pytest.mark.parametrize(
    ("attributes", "attempt", "retry"),
    [
        ({}, None, False),
        ({"order.id": 1}, None, False),
        ({"http.request.resend_count": 1}, 2, True),
        ({"http.request.resend_count": 0}, 1, False),
        ({"http.request.resend_count": 1, "http.response.status_code": 302}, 2, False),
        ({"http.request.resend_count": 1, "http.response.status_code": 401}, 2, False),
        ({"http.request.resend_count": 1, "http.response.status_code": "401"}, 2, False),
        ({"http.request.resend_count": 1, "http.status_code": 401}, 2, False),
        ({"http.request.resend_count": 2, "http.response.status_code": 503}, 3, True),
        ({"celery.retries": 1}, 2, True),
        ({"celery.retries": 0}, 1, False),
        ({"airflow.task_instance.try_number": 1}, 1, False),
        ({"airflow.task_instance.try_number": 3}, 3, True),
        ({"bullmq.job.attempts_made": 0}, 1, False),
        ({"bullmq.job.attempts_made": 2}, 3, True),
        ({"messaging.gcp_pubsub.message.delivery_attempt": 1}, 1, False),
        ({"messaging.servicebus.message.delivery_count": 2}, 2, True),
        ({"flow.attempt": 2}, 2, True),
        ({"flow.attempt": "4"}, 4, True),
        ({"flow.attempt": 0}, 1, False),
        ({"flow.attempt": -7}, 1, False),
        *(
            ({"flow.attempt": odd}, None, False)
            for odd in ("", "two", "1.5", "-1", "9" * 20, True, None, 2.0, [2], {"a": 2})
        ),
    ],
)
def test_declared(attributes: dict[str, Any], attempt: int | None, retry: bool) -> None:
    assert declared_attempt(attributes) == attempt
    assert is_retry(attributes) is retry


def test_of_two_declarations_the_tables_first_counts_however_they_lie() -> None:
    names = list(DECLARED)
    both = {names[0]: 4, names[-1]: 2}
    assert declared_attempt(both) == declared_attempt(dict(reversed(both.items()))) == 5
    # One that says nothing usable leaves the word to the next.
    assert declared_attempt({names[0]: "?", names[-1]: 2}) == 2
