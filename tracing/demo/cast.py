"""The shop's services: who they are, how each sends, and whose clock is wrong.

Half of them export over HTTP (gzip, as collectors do), half over gRPC, all through the SDK's own exporters.
`services` builds them; `orders` and its neighbours let them act.
"""

from dataclasses import dataclass

from grpc import Compression as GrpcCompression
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans
from opentelemetry.sdk._logs.export import LogRecordExporter
from opentelemetry.sdk.trace.export import SpanExporter
from opentelemetry.sdk.version import __version__ as sdk_version
from opentelemetry.util.types import AnyValue

from tracing.demo.outbox import Outbox
from tracing.demo.scene import Ids, Scene
from tracing.demo.services import Service

Exporters = tuple[SpanExporter, LogRecordExporter]
TIMEOUT_S = 30
CARRIER_AHEAD_NS = 2_400_000_000


@dataclass(frozen=True)
class Endpoints:
    """Where the demo sends: base addresses of OTLP over HTTP and gRPC, and what the shop calls its environment."""

    http: str
    grpc: str
    environment: str
    # A sender's key, where this Threadline asks for one; empty leaves it to OTEL_EXPORTER_OTLP_HEADERS.
    key: str = ""

    @property
    def headers(self) -> dict[str, str] | None:
        return {"x-threadline-key": self.key} if self.key else None

    def over_http(self) -> Exporters:
        spans = HttpSpans(
            f"{self.http}/v1/traces", timeout=TIMEOUT_S, compression=Compression.Gzip, headers=self.headers
        )
        logs = HttpLogs(
            f"{self.http}/v1/logs", timeout=TIMEOUT_S, compression=Compression.Gzip, headers=self.headers
        )
        return spans, logs

    def over_grpc(self) -> Exporters:
        spans = GrpcSpans(
            self.grpc,
            insecure=True,
            timeout=TIMEOUT_S,
            compression=GrpcCompression.Gzip,
            headers=self.headers,
        )
        logs = GrpcLogs(
            self.grpc,
            insecure=True,
            timeout=TIMEOUT_S,
            compression=GrpcCompression.Gzip,
            headers=self.headers,
        )
        return spans, logs


class Shop:
    """All services on one scene."""

    def __init__(self, scene: Scene, outbox: Outbox, endpoints: Endpoints) -> None:
        self.scene = scene
        self.outbox = outbox
        self.ids = Ids(scene)
        self._endpoints = endpoints
        self._exporters: list[SpanExporter | LogRecordExporter] = []
        here = endpoints.environment
        self.web = self._service("shop", "2026.11.3", "http", here)
        self.billing = self._service("billing", "7.2.0", "grpc", here)
        self.psp = self._service("psp", "3.14.1", "http", here)
        self.wms = self._service("wms", "1.40.2", "http", here)
        # No environment: an old agent that never said where it runs, and whose clock nobody sets.
        self.carrier = self._service("carrier", "19.4", "http", None, skew_ns=CARRIER_AHEAD_NS)
        self.mailer = self._service("mailer", "4.0.1", "grpc", here)
        self.crm = self._service("crm", "12.9.0", "grpc", here)
        self.fulfilment = self._service("fulfilment", "0.9.7", "grpc", here)
        self.catalog = self._service("catalog", "5.5.0", "http", here)
        self.erp = self._service("erp", "6.0-sp4", "http", here)
        self.staging = self._service("shop", "2026.12.0-rc1", "http", "staging")

    def _service(
        self, name: str, version: str, transport: str, environment: str | None, skew_ns: int = 0
    ) -> Service:
        resource: dict[str, AnyValue] = {
            "service.name": name,
            "service.namespace": "demo-shop",
            "service.version": version,
            "service.instance.id": f"{name}-7c9f",
            "host.name": f"node-{sum(name.encode()) % 4 + 1}",
            "telemetry.sdk.name": "opentelemetry",
            "telemetry.sdk.language": "python",
            "telemetry.sdk.version": sdk_version,
        }
        if environment:
            resource["deployment.environment.name"] = environment
        far = self._endpoints
        exporters = far.over_http() if transport == "http" else far.over_grpc()
        self._exporters += exporters
        spans, logs = exporters
        return Service(resource, self.scene, self.ids, self.outbox, (spans.export, logs.export), skew_ns)

    def hang_up(self) -> None:
        """Close the exporters: whatever they are still trying to deliver fails soon."""
        while self._exporters:
            self._exporters.pop().shutdown()
