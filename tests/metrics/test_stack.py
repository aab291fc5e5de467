"""`/metrics` of a whole Lotline: the figures of all its processes, whichever of them answers."""

import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from tests.running import running
from tests.waiting import wait_until

TOKEN = "figures-for-prometheus"


@pytest.fixture
def stack(monkeypatch):
    monkeypatch.setenv("LOTLINE_METRICS_TOKEN", TOKEN)
    with running() as started:
        yield started


def scrape(stack) -> dict[str, dict[tuple[str, ...], float]]:
    request = urllib.request.Request(f"{stack.url}/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        families = list(parse(answer.read().decode()))
    return {
        family.name: {
            tuple(sample.labels.values()): sample.value for sample in family.samples if "le" not in sample.labels
        }
        for family in families
    }


def test_a_running_lotline_tells_of_all_its_processes(stack):
    for _ in range(30):  # to either of the web server's processes
        with urllib.request.urlopen(f"{stack.url}/health", timeout=60):
            pass
    alive = {("slot", "alive"): 2, ("dispatcher", "alive"): 1}
    wait_until(lambda: alive.items() <= scrape(stack)["lotline_workers"].items())  # all have signed on
    first, second = scrape(stack), scrape(stack)
    kinds = {name for (name,) in first["lotline_process_resident_bytes"]}
    assert kinds >= {"web", "hub", "renderer", "dispatcher", "slot heavy", "slot light", "worker", "supervisor"}
    assert first["lotline_process_cpu_seconds"]["web",] > 0
    assert first["lotline_http_answers"]["health.alive", "2xx"] >= 30
    assert first["lotline_database_up"][()] == 1
    assert first["lotline_sockets"][()] == 0  # told by the hub
    assert sum(first["lotline_query_seconds"].values()) > 0
    assert second["lotline_http_answers"]["scrape.scrape", "2xx"] >= 1
    assert second["lotline_pool_connections"]["open",] >= 4  # of several processes, added up
