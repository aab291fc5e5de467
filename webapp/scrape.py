"""`/metrics`: what processes counted, and how queues and processes stand at this moment."""

import hmac
import logging
from collections.abc import Iterator

from flask import Blueprint, Response, abort, current_app, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from webapp import metrics, processes
from webapp.access.guard import bare
from webapp.config import Config
from webapp.engines import system_engine
from webapp.watching import state

log = logging.getLogger(__name__)
bp = Blueprint("scrape", __name__)


@bp.get("/metrics")
@bare
def scrape() -> Response:
    """All figures, to whoever brings the token from the configuration. Without one in it there is no such page."""
    config: Config = current_app.extensions["lotline_config"]
    if not config.metrics_token:
        abort(404)
    scheme, _blank, brought = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(brought.encode(), config.metrics_token.encode()):
        abort(401)
    metrics.note_kept()
    now = CollectorRegistry()
    now.register(_Now())
    return Response(generate_latest(metrics.collected()) + generate_latest(now), content_type=CONTENT_TYPE_LATEST)


class _Now(Collector):
    """What is not counted but looked up."""

    def collect(self) -> Iterator[Metric]:
        yield from _of_processes()
        up = GaugeMetricFamily("lotline_database_up", "Whether the database answers.")
        try:
            with system_engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                seen = state.look(connection, everything=True)
        except SQLAlchemyError as error:
            log.warning("scrape_without_database", extra={"reason": str(error).splitlines()[0]})
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        yield from _of_work(seen)


def _of_processes() -> Iterator[Metric]:
    cpu = CounterMetricFamily("lotline_process_cpu_seconds", "CPU time, by process.", labels=["process"])
    memory = GaugeMetricFamily("lotline_process_resident_bytes", "Memory, by process.", labels=["process"])
    many = GaugeMetricFamily("lotline_processes", "How many there are.", labels=["process"])
    for name, use in processes.usage().items():
        cpu.add_metric([name], use.cpu_seconds)
        memory.add_metric([name], use.resident_bytes)
        many.add_metric([name], use.count)
    yield from (cpu, memory, many)


def _of_work(seen: state.State) -> Iterator[Metric]:
    work = GaugeMetricFamily("lotline_work", "Work, up to 10,000 of each.", labels=["queue", "state"])
    oldest = GaugeMetricFamily("lotline_work_oldest_seconds", "How long the oldest could start.", labels=["queue"])
    for lane in seen.lanes:
        for name, many in (("ready", lane.ready), ("running", lane.running), ("waiting", lane.waiting)):
            work.add_metric([lane.name, name], many)
        oldest.add_metric([lane.name], (seen.now - lane.oldest_at).total_seconds() if lane.oldest_at else 0)
    workers = GaugeMetricFamily("lotline_workers", "Slots and dispatchers.", labels=["kind", "state"])
    for kind, found in (("slot", seen.slots), ("dispatcher", seen.dispatchers)):
        silent = sum(each.is_silent for each in found)
        drained = sum(each.drain_at is not None and not each.is_silent for each in found)
        for name, many in (("silent", silent), ("drained", drained), ("alive", len(found) - silent - drained)):
            workers.add_metric([kind, name], many)
    circuits = GaugeMetricFamily("lotline_circuits_open", "Services that do not answer.", value=len(seen.circuits))
    pauses = GaugeMetricFamily("lotline_pauses", "What is paused.", value=len(seen.pauses))
    yield from (work, oldest, workers, circuits, pauses)
