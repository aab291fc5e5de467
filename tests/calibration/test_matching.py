"""Who judges names: told on the calibration page, learned from reviews by a worker, taken back and put back."""

from dataclasses import replace

import pytest
from sqlalchemy import select

from tests import factories
from tests.calibration.test_page import plain
from tests.phases.matching_sets import write_set
from tests.pipeline.conftest import answer_bells, client  # noqa: F401 - fixtures
from tests.pipeline.settled import settle
from webapp import queue
from webapp.audit.models import AuditEntry
from webapp.calibration import matching
from webapp.catalog.models import Product
from webapp.database import db, reading, tenant, transaction
from webapp.phases.facts import JudgeKind
from webapp.phases.matching.header import VERSION
from webapp.pipeline import matcher_files, matchers
from webapp.pipeline.models import OfferVerdict
from webapp.providers.models import Offer
from webapp.work import tasks
from webapp.work.models import Work, WorkState


@pytest.fixture(autouse=True)
def own_folder(app, tmp_path, monkeypatch):
    """Matchers of this test alone."""
    monkeypatch.setitem(app.extensions, "lotline_config", replace(app.extensions["lotline_config"], var=tmp_path))


def section(browser) -> str:
    """What the page says of it."""
    return plain(browser.get("/calibration").text.split('id="matching"')[1])


def learn(browser) -> None:
    browser.submit("/calibration/matching/lessons")
    answer_bells()


def judge(client_id) -> JudgeKind:
    return matchers.matcher_for(client_id)[1].kind


def source(client_id) -> str | None:
    return matcher_files.own_source(client_id)


def written(action: str) -> list[AuditEntry]:
    db.session.rollback()
    return list(
        db.session.execute(select(AuditEntry).where(AuditEntry.action == action).order_by(AuditEntry.id)).scalars()
    )


# --- what is told -----------------------------------------------------------------------------------


def test_a_fresh_client_is_told_of_the_rules_and_of_what_learning_takes(reviewer):
    says = section(reviewer)
    assert "The built-in rules" in says
    assert "takes 20 offers of at least 10 products whose name and barcode were settled" in says
    assert "20 offers of other products that resemble them" in says


def test_what_there_is_to_learn_from_is_counted_before_anybody_learns(client, reviewer):  # noqa: F811
    assert "Products whose name and barcode a person settled 0 10 are needed" in section(reviewer)
    settle(client.id, count=12)
    say_of_offers(client.id, same=2, another=1)
    says = section(reviewer)
    assert "Products whose name and barcode a person settled 12 Offers" in says
    assert "Offers that bear their barcodes 12 20 are needed" in says
    assert "or another one 3 2 the same, 1 another" in says


def say_of_offers(client_id, *, same: int, another: int) -> None:
    """A person's word on offers for one product."""
    with tenant(client_id), transaction() as session:
        product = session.scalars(select(Product).order_by(Product.id).limit(1)).one()
        offers = session.scalars(select(Offer.id).order_by(Offer.id).limit(same + another)).all()
        for number, offer_id in enumerate(offers):
            key = {"client_id": client_id, "product_id": product.id, "offer_id": offer_id}
            session.add(OfferVerdict(**key, is_same=number < same))


def test_what_was_learned_for_everybody_is_told_of(reviewer, tmp_path):
    write_set(tmp_path / "set")
    learned = matchers.learn_from_tables(tmp_path / "set")
    matchers.keep_for_everybody(learned)
    says = section(reviewer)
    assert "What was learned for everybody here" in says
    assert "from 180 pairs of names" in says
    assert learned.source[:12] in says
    assert learned.source[:13] not in says


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "its file holds no matcher"),
        (b'{"version":99,"checksum":"","learned":{}}', "another version of Lotline (features 99"),
        (f'{{"version":{VERSION},"checksum":"","learned":{{}}}}'.encode(), "changed or cut since"),
    ],
)
@pytest.mark.parametrize("own", [True, False])
def test_a_file_that_cannot_be_used_is_told_of_with_what_to_do(client, admin, data, why, own):  # noqa: F811
    path = matcher_files.path_of(client.id if own else None)
    path.parent.mkdir()
    path.write_bytes(data)
    says = section(admin)
    assert "The built-in rules" in says
    assert why in says
    assert ("Learn from your reviews again" in says) is own
    assert ("by the command train-matcher" in says) is not own
    assert judge(client.id) is JudgeKind.RULES


def test_a_file_that_cannot_be_read_is_told_of(client, admin):  # noqa: F811
    matcher_files.path_of(client.id).mkdir(parents=True)
    assert "its file cannot be read" in section(admin)
    assert judge(client.id) is JudgeKind.RULES
    answer = admin.submit("/calibration/matching/removal", follow_redirects=True)
    assert "cannot be removed" in answer.text
    assert db.session.execute(select(AuditEntry.id).where(AuditEntry.action == "matcher_set_aside")).all() == []


# --- learning ---------------------------------------------------------------------------------------


def test_an_admin_has_it_learned_by_a_worker(client, admin):  # noqa: F811
    settle(client.id)
    answer = admin.submit("/calibration/matching/lessons", follow_redirects=True)
    assert "It is being learned" in answer.text
    waiting = admin.get("/calibration/matching", headers={"HX-Request": "true"}).text
    assert "It waits for a worker…" in plain(waiting)
    assert "every 2s" in waiting
    answer_bells()
    done = admin.get("/calibration/matching", headers={"HX-Request": "true"}).text
    assert "every 2s" not in done
    says = plain(done)
    assert "What was learned from your own reviews" in says
    assert "80 of them the same product" in says
    assert "How well it tells names that are new to it" in says
    assert source(client.id)[:12] in says
    assert judge(client.id) is JudgeKind.OWN
    [entry] = written("matcher_trained")
    assert entry.user_id is not None
    assert (entry.old, entry.new) == ({"source": None}, {"source": source(client.id)})
    assert entry.details["same"] == 80


def test_what_is_under_way_is_not_asked_for_twice(client, admin):  # noqa: F811
    admin.submit("/calibration/matching/lessons")
    assert "being learned already" in admin.submit("/calibration/matching/lessons", follow_redirects=True).text
    assert len(queue.bells("light").job_ids) == 1
    assert len(db.session.execute(select(Work.id).where(Work.kind == matching.KIND)).all()) == 1


def test_what_could_accept_nothing_does_not_take_the_rules_place(client, admin):  # noqa: F811
    settle(client.id, count=30)
    learn(admin)
    says = section(admin)
    assert "Nothing was changed" in says
    assert "The built-in rules" in says
    assert not matcher_files.path_of(client.id).exists()


def test_too_little_to_learn_from_is_told_with_how_far_it_is(client, admin):  # noqa: F811
    learn(admin)
    nothing = "Not enough yet: 0 of 20 offers of settled products, 0 of 20 that resemble them, 0 of 10 products."
    assert nothing in section(admin)
    settle(client.id, count=8)
    learn(admin)
    assert "Not enough yet: 8 of 20 offers of settled products" in section(admin)
    assert judge(client.id) is JudgeKind.RULES
    assert written("matcher_trained") == []


def test_the_same_reviews_teach_nothing_new(client, admin):  # noqa: F811
    settle(client.id)
    learn(admin)
    learn(admin)
    says = section(admin)
    assert "Nothing new to learn" in says
    assert "Put back your former one" not in says
    assert len(written("matcher_trained")) == 1


def test_who_was_stopped_meanwhile_changes_nothing(client, admin, owner, monkeypatch):  # noqa: F811
    """A file does not roll back, so nothing is put in place unless the work is still the worker's own."""
    client_id = client.id
    settle(client_id)
    admin.submit("/calibration/matching/lessons")
    learn_from = matchers.learn_from_reviews

    def and_be_stopped(settled):
        learned = learn_from(settled)
        owner.execute("UPDATE work SET state = 'stopped', lease_token = NULL, lease_until = NULL")
        return learned

    monkeypatch.setattr(matchers, "learn_from_reviews", and_be_stopped)
    [bell] = queue.bells("light").job_ids
    tasks.perform(*queue.read_bell(bell))
    assert judge(client_id) is JudgeKind.RULES
    assert written("matcher_trained") == []


def test_what_goes_wrong_is_told(client, admin, monkeypatch):  # noqa: F811
    settle(client.id)
    monkeypatch.setattr(matchers, "learn_from_reviews", lambda _: 1 / 0)
    learn(admin)
    says = section(admin)
    assert "Learning from reviews will be tried again in" in says
    assert "Being learned" in says
    with reading() as session:
        assert matching.figures(session, client.id).asked.state is WorkState.WAITING


# --- back and forth ---------------------------------------------------------------------------------


def test_it_is_taken_back_and_put_back(client, admin):  # noqa: F811
    settle(client.id)
    learn(admin)
    first = source(client.id)
    assert "Back to the rules" in section(admin)
    admin.submit("/calibration/matching/removal")
    assert judge(client.id) is JudgeKind.RULES
    assert "The built-in rules" in section(admin)
    assert "Put back your former one" in section(admin)
    admin.submit("/calibration/matching/return")
    assert judge(client.id) is JudgeKind.OWN
    assert source(client.id) == first
    assert "Put back your former one" not in section(admin)
    [aside], [back] = written("matcher_set_aside"), written("matcher_put_back")
    assert (aside.old, aside.new) == ({"source": first}, {"source": None})
    assert (back.old, back.new) == ({"source": None}, {"source": first})
    assert aside.user_id == back.user_id is not None


def test_the_one_before_a_new_one_can_be_put_back_and_the_new_one_again(client, admin):  # noqa: F811
    settle(client.id, count=80)
    learn(admin)
    settle(client.id, count=90, first=80)
    first = source(client.id)
    learn(admin)
    second = source(client.id)
    assert first != second
    for now in (first, second, first):
        admin.submit("/calibration/matching/return")
        assert source(client.id) == now


def test_what_cannot_be_used_takes_the_place_of_no_former_one(client, admin):  # noqa: F811
    settle(client.id)
    learn(admin)
    first = source(client.id)
    admin.submit("/calibration/matching/removal")
    matcher_files.path_of(client.id).write_bytes(b"broken")
    assert "Remove it" in section(admin)
    admin.submit("/calibration/matching/removal")
    assert not matcher_files.path_of(client.id).exists()
    admin.submit("/calibration/matching/return")
    assert source(client.id) == first


def test_where_there_is_nothing_to_change_it_is_said(admin):
    for path in ("removal", "return"):
        answer = admin.submit(f"/calibration/matching/{path}", follow_redirects=True)
        assert answer.status_code == 200
        assert "any more; somebody else was faster" in answer.text


# --- who may ----------------------------------------------------------------------------------------


def test_a_reviewer_sees_and_does_not_change(client, reviewer, sign_in):  # noqa: F811
    assert "Learn from our reviews" not in section(reviewer)
    staff = sign_in(factories.make_member(client, "staff"), client)
    assert staff.get("/calibration/matching").status_code == 403
    for path in ("lessons", "removal", "return"):
        assert reviewer.submit(f"/calibration/matching/{path}").status_code == 403
    assert queue.bells("light").job_ids == []


def test_a_form_without_its_token_is_refused(admin):
    for path in ("lessons", "removal", "return"):
        assert admin.post(f"/calibration/matching/{path}").status_code == 400


def test_no_client_sees_or_changes_anothers(client, admin, sign_in):  # noqa: F811
    settle(client.id)
    learn(admin)
    first = source(client.id)
    elsewhere = factories.make_client()
    stranger = sign_in(factories.make_member(elsewhere, "admin"), elsewhere)
    says = section(stranger)
    assert "The built-in rules" in says
    assert "Last time" not in says
    for path in ("removal", "return"):
        stranger.submit(f"/calibration/matching/{path}")
    learn(stranger)
    assert "0 of 20 offers" in section(stranger)
    assert source(client.id) == first
    assert "Learned from" in section(admin)


def test_a_plain_request_for_the_part_gets_the_page(reviewer):
    answer = reviewer.get("/calibration/matching")
    assert (answer.status_code, answer.location) == (303, "/calibration#matching")
