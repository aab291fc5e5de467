"""What watchers of a run and of a desk are sent."""

from uuid import uuid4

import pytest
from sqlalchemy import select, update

from tests import factories
from tests.pipeline.conftest import answer_bells, fresh
from webapp.catalog.models import Product
from webapp.database import transaction
from webapp.live.frames import Span
from webapp.pipeline import cards, desk, live, parts, services
from webapp.pipeline.models import Phase, Run
from webapp.work import services as work
from webapp.work.events import NewEvent, append
from webapp.work.models import Event, Stream


@pytest.fixture
def request_like(app):
    """Fragments name pages; the renderer gives them the base address, as this does."""
    with app.test_request_context():
        yield


PAGE = ("head", "title", "analysis", "market", "seo", "listing", "photos")


def keys(frames):
    return [(frame.topic.split(":")[0], frame.key.split(":")[0]) for frame in frames]


def frames_of(stream_id, after_seq, seq, watched):
    span = Span(stream_id, after_seq, seq)
    return live.frames(span, live.read([span])[stream_id], watched)


def test_a_fresh_page_gets_everything_with_the_number_it_shows(client, make_run, request_like):
    run = make_run()
    answer_bells()
    seq = fresh(Stream, run.stream_id).seq
    frames = live.state(live.run_topic(run.id))
    assert keys(frames) == [*(("run", key) for key in PAGE), ("run", "log")]
    assert {frame.seq for frame in frames} == {seq}
    assert all("hx-swap-oob" in frame.html for frame in frames)


def test_news_of_a_run_reach_its_page_and_both_desks(client, make_run, request_like):
    user = factories.make_member(client, "staff")
    run = make_run(user=user)
    frames = frames_of(run.stream_id, 0, 1, lambda _: True)
    assert keys(frames) == [
        *(("run", key) for key in PAGE),
        ("run", "log"),
        ("client", "row"),
        ("client", "counts"),
        ("user", "row"),
        ("user", "counts"),
    ]


def test_each_line_of_the_log_is_sent_once_with_its_own_number(client, make_run, request_like):
    run = make_run()
    answer_bells()
    seq = fresh(Stream, run.stream_id).seq
    lines = [frame.seq for frame in frames_of(run.stream_id, 3, seq, lambda _: True) if frame.key == "log"]
    assert lines == list(range(4, seq + 1))


def test_progress_sends_only_the_phase_that_made_it(client, make_run, request_like):
    run = make_run()
    number = 1
    with transaction() as session:
        place = session.execute(select(Phase).where(Phase.run_id == run.id, Phase.number == number)).scalar_one()
        lease = work.claim(session, place.work_id, "a test", 60)
    before = fresh(Stream, run.stream_id).seq
    with transaction() as session:
        work.report(session, lease, 40, "Reading barcodes", 60, loud=False)
    frames = frames_of(run.stream_id, before, before + 1, lambda topic: not live.is_calm(topic))
    assert keys(frames) == [("run", "head")]
    assert f'id="phase-{run.id}-{number}"' in frames[0].html
    assert "40 %" in frames[0].html
    assert frames[0].html.count("<li") == 1
    page = live.state(live.run_topic(run.id))[0].html
    sent = frames[0].html.replace('hx-swap-oob="true"', "")
    assert "".join(sent.split()) == "".join(piece(page, f"phase-{run.id}-{number}").split())


def test_progress_told_late_leaves_room_for_the_head_that_follows(client, make_run, request_like):
    """The card is read when the run has moved on already; the hub drops a head that is not newer than what it sent."""
    run = make_run()
    with transaction() as session:
        place = session.execute(select(Phase).where(Phase.run_id == run.id, Phase.number == 1)).scalar_one()
        lease = work.claim(session, place.work_id, "a test", 60)
    before = fresh(Stream, run.stream_id).seq
    with transaction() as session:
        work.report(session, lease, 40, "Reading barcodes", 60, loud=False)
    with transaction() as session:
        work.fail(session, lease, "a test", final=True)
    watched = live.run_topic(run.id).__eq__
    [progress] = frames_of(run.stream_id, before, before + 1, watched)
    head = frames_of(run.stream_id, before + 1, before + 2, watched)[0]
    assert (progress.key, head.key) == ("head", "head")
    assert progress.seq < head.seq


def piece(html, name):
    """The list item of this id."""
    start = html.index(f'<li id="{name}"')
    return str(html[start : html.index("</li>", start) + 5])


def test_what_moves_one_phase_leaves_the_others_findings_where_they_are(client, make_run, request_like):
    run = make_run()
    answer_bells()
    news = fresh(Stream, run.stream_id).seq
    moved = None
    with transaction() as session:
        for event in session.execute(select(Event).where(Event.stream_id == run.stream_id)).scalars():
            if event.kind == "work.done" and event.data.get("phase") == "market":
                moved = event.seq
    assert moved is not None
    assert moved < news
    frames = frames_of(run.stream_id, moved - 1, moved, lambda topic: not live.is_calm(topic))
    assert keys(frames) == [("run", "head"), ("run", "title"), ("run", "market"), ("run", "log")]


def test_a_part_is_the_same_for_page_and_socket_but_for_its_address(client, make_run, request_like):
    run = make_run()
    answer_bells()
    with transaction() as session:
        card = cards.card(session, run.id)
        found = parts.found(session, card)
        pairs = [(parts.head(card), parts.head(card, "true")), (parts.row(card), parts.row(card, "true"))]
        pairs += [(found.panel(phase), found.panel(phase, "true")) for phase in card.phases]
    for plain, live_one in pairs:
        assert "hx-swap-oob" in live_one
        assert plain.split() == live_one.replace('hx-swap-oob="true"', "").split()


def test_what_was_found_is_not_made_again_as_the_run_moves_on(client, make_run, request_like, monkeypatch):
    run = make_run()
    answer_bells()
    made = []
    monkeypatch.setattr(parts, "_made", lambda template, **_: made.append(template) or template)
    with transaction() as session:
        card = cards.card(session, run.id)
        for state in ("completed", "running", "stopped"):
            found = parts.found(session, card._replace(state=state))
            panels = [found.panel(phase) for phase in card.phases]
    assert panels == made == ["_panel.html"] * 4


def test_parts_that_are_kept_show_what_a_reviewer_changed(client, make_run, request_like):
    run = make_run()
    answer_bells()
    user = factories.make_member(client, "reviewer", name="Rosa Review")
    with transaction() as session:
        assert "Rosa" not in live.html(live.desk_topic(client.id, None))
        fresh(Run, run.id)
        session.execute(update(Run).where(Run.id == run.id).values(created_by=user.id))
    assert "Rosa" in live.html(live.desk_topic(client.id, None))


def test_what_nobody_watches_is_not_rendered(client, make_run, request_like):
    run = make_run()
    assert frames_of(run.stream_id, 0, 1, lambda _: False) == []
    only_run = frames_of(run.stream_id, 0, 1, lambda topic: topic == live.run_topic(run.id))
    assert {frame.topic for frame in only_run} == {live.run_topic(run.id)}


def test_a_desk_starts_with_its_counts_and_newest_rows(client, make_run, request_like):
    runs = [make_run() for _ in range(3)]
    frames = live.state(live.desk_topic(client.id, None))
    assert frames[0].key == "counts"
    assert [frame.key for frame in frames[1:]] == [f"row:{run.product_id}" for run in runs]


def test_a_desk_that_was_away_loses_the_rows_of_what_was_removed(client, make_run, request_like):
    run = make_run()
    with transaction() as session:
        services.remove_product(session, run.product_id, None)
    html = live.html(live.desk_topic(client.id, None))
    assert f'<li id="row-{run.product_id}" hx-swap-oob="delete"></li>' in html
    with transaction() as session:
        services.put_back(session, run.product_id)
    assert 'hx-swap-oob="delete"' not in live.html(live.desk_topic(client.id, None))


def test_a_run_that_gave_way_to_a_newer_one_leaves_the_desk_alone(client, make_run, request_like):
    from webapp.database import transaction
    from webapp.pipeline import services

    run = make_run()
    answer_bells()
    with transaction() as session:
        services.run_again(session, run.product_id, None)
    assert not fresh(Run, run.id).is_latest
    desks = [frame for frame in frames_of(run.stream_id, 0, 99, lambda _: True) if not frame.topic.startswith("run:")]
    assert desks == []


@pytest.mark.parametrize(
    "topic", ["", "run", "run:", "run:x", "run:1:2", "client:", "user:1", "elsewhere:1", "run:\x00", "client:' OR 1=1"]
)
def test_malformed_topics_are_nobodys(client, topic, request_like):
    class Viewer:
        client_id = client.id

    assert not live.may_watch(Viewer, topic)
    assert list(live.state(topic)) == []


def test_another_spelling_of_a_topic_is_nobodys(client, request_like):
    class Viewer:
        client_id = client.id

    assert live.may_watch(Viewer, f"client:{client.id}")
    assert not live.may_watch(Viewer, f"client:{str(client.id).upper()}")
    assert not live.may_watch(Viewer, f"client:{client.id.hex}")


def test_topics_of_another_client_are_refused(client, make_run, request_like):
    from webapp.database import tenant

    run, other = make_run(), factories.make_client()

    class Stranger:
        client_id = other.id

    with tenant(other.id):
        assert not live.may_watch(Stranger, live.run_topic(run.id))
        assert not live.may_watch(Stranger, live.desk_topic(client.id, None))
        assert not live.may_watch(Stranger, live.desk_topic(client.id, uuid4()))
        assert live.may_watch(Stranger, live.desk_topic(other.id, None))


def test_a_removed_product_leaves_the_desks_of_others(client, make_run, request_like):
    from webapp.database import transaction
    from webapp.pipeline import services

    run = make_run()
    with transaction() as session:
        services.remove_product(session, run.product_id, None)
    frames = frames_of(run.stream_id, 1, 9, lambda topic: topic.startswith("client:"))
    assert [frame.key.split(":")[0] for frame in frames] == ["row", "counts"]
    assert 'hx-swap-oob="delete"' in frames[0].html


def test_who_looks_at_an_earlier_run_is_told_that_there_is_a_newer_one(client, make_run, request_like):
    from webapp.database import transaction
    from webapp.pipeline import services

    run = make_run()
    answer_bells()
    before = fresh(Stream, run.stream_id).seq
    with transaction() as session:
        services.run_again(session, run.product_id, None)
    frames = frames_of(run.stream_id, before, before + 1, lambda _: True)
    assert "Open the newest run" in frames[0].html
    assert "A newer run was started" in frames[-1].html


def test_who_looks_at_a_product_that_is_removed_is_told_so(client, make_run, request_like):
    from webapp.database import transaction
    from webapp.pipeline import services

    run = make_run()
    with transaction() as session:
        services.remove_product(session, run.product_id, None)
    frame, *lines = frames_of(run.stream_id, 1, 9, lambda topic: topic == live.run_topic(run.id))
    assert "off the desk" in frame.html
    assert {line.key for line in lines} == {"log"}, "the log is whole when the product is put back"
    assert [line.seq for line in lines] == sorted({line.seq for line in lines})


def test_who_looks_at_an_earlier_run_is_told_when_its_product_goes_and_comes_back(client, make_run, request_like):
    """Its own news may be rendered while the product is away; without more of them its page would say so for ever."""
    run = make_run()
    answer_bells()
    with transaction() as session:
        services.run_again(session, run.product_id, None)
    before = fresh(Stream, run.stream_id).seq
    with transaction() as session:
        services.remove_product(session, run.product_id, None)
    removed = fresh(Stream, run.stream_id).seq
    gone, *_, line = frames_of(run.stream_id, before - 1, removed, lambda _: True)
    assert "off the desk" in gone.html
    assert "Product removed" in line.html
    with transaction() as session:
        services.put_back(session, run.product_id)
    back = fresh(Stream, run.stream_id).seq
    frames = frames_of(run.stream_id, removed, back, lambda _: True)
    now = {frame.key: frame for frame in live.state(live.run_topic(run.id))}
    assert frames[0].seq > gone.seq
    assert frames[0] == now["head"]
    assert "Open the newest run" in frames[0].html


def again(run):
    with transaction() as session:
        return services.run_again(session, run.product_id, None)


def remove(run):
    with transaction() as session:
        services.remove_product(session, run.product_id, None)


def test_only_the_newest_run_takes_the_products_row_off_the_desk(client, make_run, request_like):
    run, other = make_run(), make_run()
    answer_bells()
    newest = again(run)
    remove(run)
    remove(other)
    assert {frame.topic for frame in frames_of(run.stream_id, 1, 99, lambda _: True)} == {live.run_topic(run.id)}
    for gone in (newest, other):
        off = frames_of(gone.stream_id, 0, 99, lambda topic: topic.startswith("client:"))
        assert [frame.key for frame in off] == [f"row:{gone.product_id}", "counts"]
        assert 'hx-swap-oob="delete"' in off[0].html


def test_what_is_said_of_a_later_run_goes_before_all_that_was_said_of_an_earlier_one(client, make_run, request_like):
    """A desk has one row for a product; the row of its first run, or its removal, may come late."""
    run = make_run()
    answer_bells()
    everybodys = live.desk_topic(client.id, None)
    [earlier, _] = frames_of(run.stream_id, 0, 99, lambda topic: topic == everybodys)
    remove(run)
    [off, _] = frames_of(run.stream_id, 0, 99, lambda topic: topic == everybodys)
    with transaction() as session:
        services.put_back(session, run.product_id)
    later = again(run)
    [row, _] = frames_of(later.stream_id, 0, 1, lambda topic: topic == everybodys)
    assert earlier.key == off.key == row.key
    assert earlier.seq < off.seq < row.seq
    assert f'data-seq="{row.seq}"' in row.html
    assert row.seq < 2**53


def test_who_comes_to_the_page_of_a_removed_product_is_told_so_and_has_the_log(client, make_run, request_like):
    run = make_run()
    answer_bells()
    again(run)
    remove(run)
    seq = fresh(Stream, run.stream_id).seq
    head, log = live.state(live.run_topic(run.id))
    assert ("off the desk" in head.html, head.key, head.seq) == (True, "head", seq)
    assert ("Product removed" in log.html, log.key, log.seq) == (True, "log", seq)
    assert "off the desk" in live.html(live.run_topic(run.id))
    assert list(live.state(live.run_topic(uuid4()))) == []


def test_the_page_of_a_removed_product_that_is_far_behind_gets_the_log_whole(client, make_run, request_like):
    run = make_run()
    with transaction() as session:
        append(session, run.stream_id, [NewEvent("test", f"line {number}") for number in range(150)])
    remove(run)
    last = fresh(Stream, run.stream_id).seq
    [_, lines] = frames_of(run.stream_id, 1, last, lambda topic: topic == live.run_topic(run.id))
    assert (lines.key, lines.seq) == ("log", last)
    assert "Product removed" in lines.html
    assert "Older events are kept" in lines.html


def test_a_product_with_many_runs_crowds_out_nothing_on_a_desk_that_was_away(
    client, make_run, request_like, monkeypatch
):
    first, busy = make_run(), make_run()
    answer_bells()
    for _ in range(4):
        again(busy)
        answer_bells()
    monkeypatch.setattr(desk, "PAGE", 3)
    remove(first)
    remove(busy)
    html = live.html(live.desk_topic(client.id, None))
    for run in (first, busy):
        assert html.count(f'<li id="row-{run.product_id}" hx-swap-oob="delete"></li>') == 1


def test_gone_streams_are_looked_up_together(client, make_run, request_like, count_queries):
    runs = [make_run() for _ in range(5)]
    for run in runs:
        remove(run)
    spans = [Span(run.stream_id, 0, 9) for run in runs]
    with count_queries() as few:
        live.read(spans[:1])
    with count_queries() as many:
        happened = live.read(spans)
    assert len(few) == len(many)
    with count_queries() as none:
        for span in spans:
            live.frames(span, happened[span.stream_id], lambda _: False)
    assert none == []


def test_a_page_that_is_far_behind_gets_the_log_whole(client, make_run, request_like):
    run = make_run()
    with transaction() as session:
        last = append(session, run.stream_id, [NewEvent("test", f"line {number}") for number in range(150)])
    [*_, lines] = frames_of(run.stream_id, 1, last, lambda topic: topic == live.run_topic(run.id))
    assert (lines.key, lines.seq) == ("log", last)
    assert "line 149" in lines.html
    assert "Older events are kept" in lines.html


def test_an_earlier_run_keeps_its_own_name_whatever_a_later_one_calls_the_product(client, make_run, request_like):
    run = make_run(name="As typed")
    answer_bells()
    with transaction() as session:
        services.run_again(session, run.product_id, None)
        session.execute(update(Product).where(Product.id == run.product_id).values(name="As found later"))
    [title] = [frame for frame in live.state(live.run_topic(run.id)) if frame.key == "title"]
    assert "As typed" in title.html
