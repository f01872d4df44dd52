"""What runs at night: the CRM's sync with its heartbeats, the invoice run over 1,000 orders, the great reindex.

`history` places them in time. The invoice run is one trace in which a thousand orders have a part each; the
reindex is one trace of twenty thousand spans.
"""

from collections.abc import Sequence

from opentelemetry.trace import Status, StatusCode

from tracing.demo.cast import Shop
from tracing.demo.failures import Failure
from tracing.demo.scene import MINUTE
from tracing.demo.services import Headers, headers_here

INVOICED = 1_000
REINDEXED = 20_000


def synced(shop: Shop, job: str, beats: int, finishes: bool) -> None:
    """A sync that says every minute that it lives. One that does not finish just falls silent."""
    about = {"job.id": job, "job.name": "crm-sync"}
    began = shop.scene.now
    shop.crm.log("Sync of customers started", about, event="job.started")
    for beat in range(1, beats + 1):
        shop.scene.now = began + beat * MINUTE
        with shop.crm.span("sync page", {**about, "sync.page": beat, "sync.rows": 500}, headers={}):
            shop.scene.spend(300, 4_000)
        shop.crm.log(f"Still alive, page {beat} of 24", about, event="job.heartbeat")
    if finishes:
        shop.scene.wait(20)
        with shop.crm.span("close sync", {**about, "job.state": "completed"}, headers={}):
            shop.scene.spend(20, 90)
        shop.crm.log("Sync of customers finished", about, event="job.finished")


def invoiced(shop: Shop, job: str, orders: Sequence[str]) -> None:
    """One trace, a thousand orders: each has its own span, with children that do not name it."""
    with shop.billing.span("invoice run", {"job.id": job, "invoice.count": len(orders)}, headers={}):
        for order in orders:
            about = {"order.id": order, "invoice.id": f"inv-{order}"}
            with shop.billing.span("invoice order", about):
                with shop.billing.span("render pdf", {"pdf.pages": 1, "pdf.template": "invoice-de"}):
                    shop.scene.spend(8, 60)
                with shop.billing.client("INSERT invoices", {"db.system.name": "mysql"}):
                    shop.scene.spend(1, 9)
                shop.billing.log(f"Invoice inv-{order} written", {"invoice.id": f"inv-{order}"})


def reindexed(shop: Shop, job: str, spans: int) -> Headers:
    """One trace of exactly `spans` spans: chunks of a search index, a few refused. Returns its headers."""
    chunk = 200
    full = Failure("es.TransportError", "429 circuit_breaking_exception", "es.TransportError: 429\n")
    with shop.catalog.span("reindex catalogue", {"job.id": job, "index.name": "products-v41"}, headers={}):
        headers = headers_here()
        for first in range(0, spans - 1, chunk):
            last = min(first + chunk, spans - 1)
            with shop.catalog.span("index chunk", {"chunk.first": first, "chunk.size": last - first}) as span:
                for document in range(first + 1, last):
                    with shop.catalog.client("PUT document", {"index.position": document}):
                        shop.scene.spend(1, 6)
                if first % 4_000 == 3_800:
                    span.set_status(Status(StatusCode.ERROR, full.message))
                    shop.catalog.log("Index refused a chunk", full.attributes, "WARN")
    return headers


def fed(shop: Shop, job: str) -> None:
    """One beat of the stock feed that runs all day."""
    about = {"job.id": job, "job.name": "stock-feed"}
    with shop.wms.span("feed stock", {**about, "feed.rows": 120}, headers={}):
        shop.scene.spend(40, 600)
    shop.wms.log("Stock feed is alive", about, event="job.heartbeat")
