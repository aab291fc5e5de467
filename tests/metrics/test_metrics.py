"""`/metrics` and the figures behind it."""

import os

import pytest
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.parser import text_string_to_metric_families as parse

from tests.pipeline.conftest import answer_bells, client, make_run  # noqa: F401 - fixtures
from webapp import metrics, processes

TOKEN = "figures-for-prometheus"


@pytest.fixture
def scrape(app, browse, monkeypatch):
    """`scrape()`: all samples, `{(name, labels): value}`."""
    monkeypatch.setitem(vars(app.extensions["lotline_config"]), "metrics_token", TOKEN)

    def ask():
        answer = browse.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200
        assert answer.content_type.startswith("text/plain")
        samples = [sample for family in parse(answer.text) for sample in family.samples]
        return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in samples}

    return ask


def total(samples, figure, /, **labels):
    return sum(value for (found, with_), value in samples.items() if found == figure and labels.items() <= set(with_))


def test_without_a_token_in_the_configuration_there_is_no_such_page(browse):
    assert browse.get("/metrics").status_code == 404
    assert browse.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404


@pytest.mark.parametrize("brought", ["", "Bearer", "Bearer x", f"Basic {TOKEN}", f"Bearer {TOKEN}é", "Bearer \x01"])
def test_only_who_brings_the_token_gets_figures(scrape, browse, brought):
    answer = browse.get("/metrics", headers={"Authorization": brought})
    assert answer.status_code == 401
    assert "lotline_work" not in answer.text


def test_work_is_counted_by_phase_with_its_wait_its_run_and_its_end(scrape, make_run):  # noqa: F811
    before = scrape()
    make_run()
    assert total(scrape(), "lotline_work", queue="heavy", state="ready") == 1
    answer_bells()
    after = scrape()
    for phase in ("analysis", "market", "seo", "listing"):
        for name in ("lotline_work_wait_seconds_count", "lotline_work_run_seconds_count"):
            assert total(after, name, activity=phase) - total(before, name, activity=phase) == 1
        ended = {"activity": phase, "outcome": "done"}
        attempts = "lotline_work_attempts_total"
        assert total(after, attempts, **ended) - total(before, attempts, **ended) == 1
    assert total(after, "lotline_query_seconds_count") > total(before, "lotline_query_seconds_count")


def test_answers_and_errors_are_counted_by_endpoint(scrape, browse):
    before = scrape()
    browse.get("/sign-in")
    browse.get("/sign-in")
    for number in range(20):
        browse.get(f"/nowhere-{number}")
    after = scrape()

    def more(**labels):
        name = "lotline_http_answers_total"
        return total(after, name, **labels) - total(before, name, **labels)

    assert more(endpoint="access.sign_in", status="2xx") == 2
    assert more(endpoint="none", status="4xx") == 20
    assert total(after, "lotline_http_seconds_count", endpoint="none") >= 20


def test_no_label_takes_values_from_outside(app, scrape, browse, make_run):  # noqa: F811
    make_run()
    answer_bells()
    for number in range(5):
        browse.get(f"/products/{number}", headers={"User-Agent": f"x{number}"})
    found: dict[str, set[str]] = {}
    for _name, labels in scrape():
        for key, value in labels:
            found.setdefault(key, set()).add(value)
    found.pop("le")
    assert found.pop("endpoint") <= {*app.view_functions, "none"}
    assert sum(map(len, found.values())) < 60
    assert not [value for values in found.values() for value in values if any(sign in value for sign in "/@:-")]


def test_what_is_kept_is_counted_by_name(scrape, client, sign_in, make_run):  # noqa: F811
    from tests.factories import make_member

    browser = sign_in(make_member(client), client)
    make_run()
    before = scrape()
    browser.get("/")
    browser.get("/")
    after = scrape()
    for outcome in ("hit", "miss"):
        labels = {"name": "parts of screens", "outcome": outcome}
        assert total(after, "lotline_cache_lookups_total", **labels) > total(
            before, "lotline_cache_lookups_total", **labels
        )


def test_percentiles_are_read_off_the_buckets_of_all_labels_together():
    registry = CollectorRegistry()
    times = Histogram("times", "Times.", ["who"], buckets=(1, 2, 4), registry=registry)
    assert metrics.percentiles(registry.collect(), "times") is None
    for value in range(50):
        times.labels("a").observe(0.5)
        times.labels("b").observe(3 if value else 100)
    half, most, nearly_all = metrics.percentiles(registry.collect(), "times")
    assert half == pytest.approx(1.0)
    assert 3.5 < most < 4
    assert most <= nearly_all == pytest.approx(4.0)


def test_figures_of_ended_processes_are_kept_within_a_bound(tmp_path, monkeypatch):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    monkeypatch.setattr(metrics, "DEAD_FILES", 4)
    gone = range(4_194_400, 4_194_410)  # above what the kernel gives out
    for pid in [os.getpid(), *gone]:
        for kind in ("counter", "gauge_livesum"):
            (tmp_path / f"{kind}_{pid}.db").touch()
    metrics.sweep()
    left = {file.name for file in tmp_path.iterdir()}
    assert left == {f"counter_{pid}.db" for pid in [*gone][-4:]} | {
        f"counter_{os.getpid()}.db",
        f"gauge_livesum_{os.getpid()}.db",
    }


def test_processes_that_live_are_found_with_what_they_use():
    found = processes.usage()
    assert sum(use.count for use in found.values()) >= 1
    assert all(use.resident_bytes > 0 for use in found.values())
