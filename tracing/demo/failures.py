"""What goes wrong in the shop, with the stack traces that real runtimes would have written.

The text is fixed, so that the same seed sends the same bytes from any checkout; `services` tells it twice, as a
span event and as a log, because that is what instrumented services do.
"""

from dataclasses import dataclass

from opentelemetry.util.types import AnyValue


@dataclass(frozen=True)
class Failure:
    """An exception as OpenTelemetry describes it."""

    type: str
    message: str
    stacktrace: str

    @property
    def attributes(self) -> dict[str, AnyValue]:
        return {
            "exception.type": self.type,
            "exception.message": self.message,
            "exception.stacktrace": self.stacktrace,
        }


def card_declined(code: str) -> Failure:
    message = f"Your card was declined ({code})"
    return Failure(
        "psp.errors.CardDeclined",
        message,
        "Traceback (most recent call last):\n"
        '  File "/srv/billing/charges/views.py", line 88, in create\n'
        "    charge = gateway.charge(payment, amount=order.total)\n"
        '  File "/srv/billing/charges/gateway.py", line 41, in charge\n'
        "    return self._checked(self._session.post(url, json=body, timeout=5))\n"
        '  File "/srv/billing/charges/gateway.py", line 67, in _checked\n'
        '    raise CardDeclined(body["decline_code"])\n'
        f"psp.errors.CardDeclined: {message}\n",
    )


def gateway_timeout() -> Failure:
    message = "Read timed out. (read timeout=5)"
    return Failure(
        "requests.exceptions.ReadTimeout",
        message,
        "Traceback (most recent call last):\n"
        '  File "/srv/billing/charges/gateway.py", line 41, in charge\n'
        "    return self._checked(self._session.post(url, json=body, timeout=5))\n"
        '  File "/usr/lib/python3/site-packages/requests/sessions.py", line 637, in post\n'
        '    return self.request("POST", url, data=data, json=json, **kwargs)\n'
        '  File "/usr/lib/python3/site-packages/requests/adapters.py", line 713, in send\n'
        "    raise ReadTimeout(e, request=request)\n"
        f"requests.exceptions.ReadTimeout: {message}\n",
    )


def label_refused() -> Failure:
    message = "Unknown postal code for country NL"
    return Failure(
        "com.carrier.labels.AddressException",
        message,
        f"com.carrier.labels.AddressException: {message}\n"
        "\tat com.carrier.labels.AddressCheck.verify(AddressCheck.java:112)\n"
        "\tat com.carrier.labels.LabelService.create(LabelService.java:54)\n"
        "\tat com.carrier.api.LabelResource.post(LabelResource.java:31)\n"
        "Caused by: java.util.NoSuchElementException: No value present\n"
        "\tat java.base/java.util.Optional.orElseThrow(Optional.java:377)\n"
        "\tat com.carrier.labels.PostalCodes.find(PostalCodes.java:29)\n"
        "\t... 2 more\n",
    )


def stock_conflict(sku: str) -> Failure:
    message = f"could not serialize access to stock of {sku}"
    return Failure(
        "SerializationFailure",
        message,
        "goroutine 4177 [running]:\n"
        "wms/stock.(*Store).Reserve(0xc0001a2000, {0xc0003b4a20, 0x9})\n"
        "\t/src/wms/stock/store.go:143 +0x2c5\n"
        "wms/stock.HandleOrder({0x9f2b40, 0xc00041e0f0}, 0xc0002d6000)\n"
        "\t/src/wms/stock/consumer.go:61 +0x188\n",
    )


def mail_refused() -> Failure:
    message = "450 4.2.1 The user you are trying to contact is receiving mail too quickly"
    return Failure(
        "smtplib.SMTPRecipientsRefused",
        message,
        "Traceback (most recent call last):\n"
        '  File "/usr/lib/python3/site-packages/celery/app/trace.py", line 453, in trace_task\n'
        "    R = retval = fun(*args, **kwargs)\n"
        '  File "/srv/mailer/tasks.py", line 27, in send_receipt\n'
        "    connection.sendmail(sender, [recipient], message)\n"
        f"smtplib.SMTPRecipientsRefused: {message}\n",
    )
