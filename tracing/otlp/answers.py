"""What is said back: full and partial success, and `google.rpc.Status` for everything else.

Both encodings of HTTP and the messages of gRPC come from here. An answer never repeats the payload.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tracing.records import Refusal

# google.rpc.Code, and gRPC's own numbers.
INVALID_ARGUMENT, NOT_FOUND, RESOURCE_EXHAUSTED, UNIMPLEMENTED, UNAVAILABLE, UNAUTHENTICATED = (
    3,
    5,
    8,
    12,
    14,
    16,
)
_MOST_REASONS = 10
_LONGEST_REASON = 300
_RESPONSES = {
    "spans": ExportTraceServiceResponse,
    "log_records": ExportLogsServiceResponse,
    "data_points": ExportMetricsServiceResponse,
}


@dataclass(frozen=True, slots=True)
class Success:
    """Stored. `rejected` records were turned away, with the reason in `sentence`; a sentence alone is a warning."""

    counted: str  # "spans", "log_records" or "data_points"
    rejected: int = 0
    sentence: str = ""

    def protobuf(self) -> bytes:
        response = _RESPONSES[self.counted]()
        if self.sentence:
            setattr(response.partial_success, f"rejected_{self.counted}", self.rejected)
            response.partial_success.error_message = self.sentence
        written: bytes = response.SerializeToString()
        return written

    def json(self) -> bytes:
        if not self.sentence:
            return b"{}"
        first, *rest = self.counted.split("_")
        name = "rejected" + "".join(word.capitalize() for word in (first, *rest))
        told = {name: str(self.rejected)} if self.rejected else {}
        return orjson.dumps({"partialSuccess": {**told, "errorMessage": self.sentence}})


class Failure(Exception):
    """Nothing was stored. `retry_after_s` is set where sending again may help."""

    def __init__(self, code: int, sentence: str, retry_after_s: int | None = None) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
        self.retry_after_s = retry_after_s

    def status(self) -> Status:
        status = Status(code=self.code, message=self.sentence)
        detail = self._detail()
        if detail is not None:
            packed = Packed()
            packed.Pack(detail)
            status.details.append(packed)
        return status

    def _detail(self) -> BadRequest | RetryInfo | None:
        if self.code == INVALID_ARGUMENT:
            violation = BadRequest.FieldViolation(field="body", description=self.sentence)
            return BadRequest(field_violations=[violation])
        return self.retry_info()

    def retry_info(self) -> RetryInfo | None:
        if self.retry_after_s is None:
            return None
        return RetryInfo(retry_delay=Duration(seconds=self.retry_after_s))

    def protobuf(self) -> bytes:
        written: bytes = self.status().SerializeToString()
        return written

    def json(self) -> bytes:
        status: dict[str, object] = {"code": self.code, "message": self.sentence}
        if self.code == INVALID_ARGUMENT:
            violation = {"field": "body", "description": self.sentence}
            kind = "type.googleapis.com/google.rpc.BadRequest"
            status["details"] = [{"@type": kind, "fieldViolations": [violation]}]
        elif self.retry_after_s is not None:
            kind = "type.googleapis.com/google.rpc.RetryInfo"
            status["details"] = [{"@type": kind, "retryDelay": f"{self.retry_after_s}s"}]
        return orjson.dumps(status)


def sentence_for(refusals: Sequence[Refusal]) -> str:
    """All reasons in one sentence, each with its count."""
    told = [
        f"{refusal.count} × {refusal.reason[:_LONGEST_REASON]}" if refusal.count else refusal.reason
        for refusal in refusals[:_MOST_REASONS]
    ]
    if len(refusals) > _MOST_REASONS:
        told.append(f"and {len(refusals) - _MOST_REASONS} further reasons")
    return "; ".join(told)
