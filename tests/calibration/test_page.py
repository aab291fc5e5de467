"""The calibration page: honest about what it knows, quick, and for those whom it concerns."""

import re

import pytest
from sqlalchemy import select

from tests import factories
from tests.calibration.history import Past, honest, write
from tests.pipeline.conftest import answer_bells, client  # noqa: F401 - fixtures
from webapp.access.models import Client
from webapp.audit.models import AuditEntry
from webapp.database import db, reading
from webapp.learning.calibrations import calibrator_for
from webapp.learning.models import Calibration


def plain(text: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def simulation(browser, threshold, **query):
    answer = browser.get(
        "/calibration/simulation", query_string={"threshold": threshold, **query}, headers={"HX-Request": "true"}
    )
    assert answer.status_code == 200
    return plain(answer.text)


def test_an_empty_page_says_what_is_needed_and_how_far_it_is(client, reviewer):  # noqa: F811
    write(client, [Past(50), Past(60)])
    page = plain(reviewer.get("/calibration").text)
    assert "2 of 20 decisions" in page
    assert "2 of 100 decisions" in page
    assert "0 of 60 where Lotline was sure" in page
    assert "The defaults hold." in page


def test_pictures_have_their_numbers_in_tables(client, reviewer):  # noqa: F811
    write(client, [Past(95, right=number < 38, audit_percent=10) for number in range(40)])
    write(client, [Past(55, right=number < 10) for number in range(20)])
    page = plain(reviewer.get("/calibration").text)
    assert "20 reviews 40 audits" in page
    assert "90–100 95.0 40 95 % (" in page
    assert "50–59 55.0 20 50 % (" in page
    assert "Barcode, known" in page


def test_bounds_are_wider_for_few(client, reviewer):  # noqa: F811
    write(client, [Past(95, audit_percent=2) for _ in range(20)])
    page = plain(reviewer.get("/calibration").text)
    low = float(re.search(r"90–100 95\.0 20 100 % \((\d+)–100\)", page)[1])
    assert 80 < low < 88  # 20 of 20


def test_what_the_machine_did_not_guess_is_neither_right_nor_wrong(client, reviewer, owner):  # noqa: F811
    write(client, [Past(95) for _ in range(25)])
    owner.execute("UPDATE reviews SET before = before || '{\"name\": null}' WHERE id % 5 = 0")
    page = plain(reviewer.get("/calibration").text)
    assert "5 where Lotline had not guessed" in page


def test_a_higher_threshold_adds_reviews_and_catches_errors(client, reviewer):  # noqa: F811
    """Ten days with 30 products a day at 82, of which one in five is wrong."""
    write(client, [Past(82, decided=False, days_ago=number % 10 + 0.5) for number in range(250)])
    write(
        client,
        [Past(82, right=number % 5 > 0, audit_percent=10, days_ago=number % 10 + 0.5) for number in range(50)],
    )
    says = simulation(reviewer, 85)
    reviews, errors, low, high = map(
        int,
        re.search(
            r"add about (\d+) reviews a day and catch about (\d+) errors \(between (\d+) and (\d+)\)", says
        ).groups(),
    )
    assert 30 <= reviews <= 33  # 300 in nine and a half days
    assert errors == pytest.approx(reviews / 5, abs=1)
    assert low < errors < high
    assert "From 50 decisions in between" in says


def test_a_lower_threshold_saves_reviews_and_lets_errors_through(client, reviewer):  # noqa: F811
    write(client, [Past(75, right=number % 4 > 0, days_ago=number % 10 + 0.5) for number in range(200)])
    says = simulation(reviewer, 70)
    assert re.search(r"70 would save about \d+ reviews a day and let about \d+ errors through \(between", says)


def test_days_that_are_too_few_are_not_carried_on(client, reviewer):  # noqa: F811
    """Minutes of work say nothing of a month: what they were is told, and what is missing."""
    write(client, [Past(90, right=number < 1, days_ago=0.01) for number in range(6)])
    says = simulation(reviewer, 95)
    assert "too early to say" in says
    assert "95 would have put 6 more before a person." in says
    assert "within a day; it takes 7 days." in says
    assert "There are 6 decisions in between; to tell how many are wrong there it takes 20." in says
    for foretold in ("a month.", "a day and", "catch about"):
        assert foretold not in says.replace("in a day or a month.", "")
    write(client, [Past(90, right=number < 17, days_ago=3.5) for number in range(34)])
    says = simulation(reviewer, 95)
    assert "within 4 days; it takes 7 days." in says
    assert re.search(r"\d+ to \d+ of 100 products in between are wrong, by 40 decisions\.", says)


def test_decisions_that_are_too_few_name_no_number_of_errors(client, reviewer):  # noqa: F811
    write(client, [Past(90, right=False, days_ago=number) for number in range(8)])
    says = simulation(reviewer, 95)
    assert re.search(r"95 would add about \d+ reviews a month and catch an unknown number of errors\.", says)
    assert "it takes 20." in says


def test_the_weeks_say_what_they_count(client, reviewer):  # noqa: F811
    """What was reviewed at another threshold counts there too, and is not called an audit."""
    write(client, [Past(90, right=number < 1) for number in range(6)])
    write(client, [Past(60) for _ in range(20)])
    page = plain(reviewer.get("/calibration").text)
    assert "26 reviews 0 audits" in page
    assert "audited" not in page.split("Week by week")[1].split("By the way")[0]
    assert "With 80 or more people decided 6 products: 0 audits, 6 reviews (the threshold was another one then)" in page


def test_where_nobody_looked_the_errors_are_unknown(client, reviewer):  # noqa: F811
    write(client, [Past(82, decided=False, days_ago=0.5 + number / 5) for number in range(50)])
    assert "and catch an unknown number of errors. Nobody has checked a product" in simulation(reviewer, 90)
    assert "nothing would change" in simulation(reviewer, 81)
    assert "This is the threshold now" in simulation(reviewer, 80)


def test_the_simulator_works_as_a_plain_form(client, reviewer):  # noqa: F811
    write(client, [Past(82, decided=False, days_ago=8) for _ in range(50)])
    assert "85 would add" in plain(reviewer.get("/calibration?threshold=85").text)
    answer = reviewer.get("/calibration/simulation?threshold=85")
    assert (answer.status_code, answer.location) == (303, "/calibration?threshold=85")


@pytest.mark.parametrize("typed", ["", "101", "-1", "8e1", "٨٠", "9" * 400, "x"])
def test_a_threshold_that_is_none_is_todays(reviewer, typed):
    assert "This is the threshold now" in simulation(reviewer, typed)
    assert reviewer.get("/calibration", query_string={"threshold": typed}).status_code == 200


def test_an_admin_takes_the_threshold_over_and_it_is_written_down(client, admin):  # noqa: F811
    assert "Use 85 from now on" in simulation(admin, 85)
    assert admin.submit("/calibration/threshold", {"threshold": "85"}).status_code == 303
    db.session.expire_all()
    assert db.session.get_one(Client, client.id).review_threshold == 85
    entry = db.session.execute(select(AuditEntry).where(AuditEntry.action == "client_changed")).scalar_one()
    assert (entry.old, entry.new) == ({"review_threshold": 80}, {"review_threshold": 85})
    answer = admin.submit("/calibration/threshold", {"threshold": "850"}, follow_redirects=True)
    assert "whole number from 0 to 100" in answer.text
    assert db.session.get_one(Client, client.id).review_threshold == 85


def test_a_reviewer_sees_and_does_not_change(client, reviewer, sign_in):  # noqa: F811
    assert "Use 85 from now on" not in simulation(reviewer, 85)
    for path in ("threshold", "fits", "choice"):
        assert reviewer.submit(f"/calibration/{path}", {"threshold": "85"}).status_code == 403
    staff = sign_in(factories.make_member(client, "staff"), client)
    assert staff.get("/calibration").status_code == staff.get("/calibration/simulation").status_code == 403


def test_another_clients_decisions_do_not_show(client, sign_in):  # noqa: F811
    write(client, honest(60))
    elsewhere = factories.make_client()
    stranger = sign_in(factories.make_member(elsewhere, "admin"), elsewhere)
    assert "0 of 20 decisions" in plain(stranger.get("/calibration").text)
    catalog_id = factories.default_catalog_id(client)
    assert stranger.get(f"/calibration?catalog={catalog_id}").status_code == 404
    for path in ("fits", "choice"):
        assert stranger.submit(f"/calibration/{path}", {"catalog_id": str(catalog_id)}).status_code == 404


def test_the_page_asks_the_same_number_of_queries_for_many(client, reviewer, count_queries):  # noqa: F811
    write(client, honest(30))
    reviewer.get("/calibration")
    with count_queries() as few:
        reviewer.get("/calibration")
    write(client, honest(400))
    factories.make_catalog(client, name="A third one")
    with count_queries() as many:
        reviewer.get("/calibration")
    assert len(many) == len(few) <= 12


# --- fitting ----------------------------------------------------------------------------------------


def test_a_fit_is_done_by_a_worker_and_used(client, admin):  # noqa: F811
    catalog_id = factories.default_catalog_id(client)
    write(client, honest(900))
    assert "Learn anew" in admin.get("/calibration").text
    admin.submit("/calibration/fits", {"catalog_id": str(catalog_id)})
    assert "Being fitted" in admin.get("/calibration").text
    assert (
        "being fitted already"
        in admin.submit("/calibration/fits", {"catalog_id": str(catalog_id)}, follow_redirects=True).text
    )
    answer_bells()
    page = plain(admin.get("/calibration").text)
    assert "Version 1 from" in page
    assert "Being fitted" not in page
    with reading() as session:
        assert calibrator_for(session, catalog_id).version == 1


def test_the_same_decisions_make_no_second_version(client, admin):  # noqa: F811
    catalog_id = factories.default_catalog_id(client)
    write(client, honest(900))
    for _ in range(2):
        admin.submit("/calibration/fits", {"catalog_id": str(catalog_id)})
        answer_bells()
    assert len(db.session.execute(select(Calibration)).all()) == 1


def test_too_few_decisions_leave_the_defaults(client, admin):  # noqa: F811
    catalog_id = factories.default_catalog_id(client)
    write(client, honest(60))
    admin.submit("/calibration/fits", {"catalog_id": str(catalog_id)})
    answer_bells()
    with reading() as session:
        assert calibrator_for(session, catalog_id) is None


def test_no_catalog_learns_from_another(client, admin):  # noqa: F811
    """The decisions of one are no proof for the other."""
    other = factories.make_catalog(client, name="Other goods")
    write(client, honest(900))
    write(client, honest(30, seed=2), catalog_id=other.id)
    for catalog_id in (factories.default_catalog_id(client), other.id):
        admin.submit("/calibration/fits", {"catalog_id": str(catalog_id)})
    answer_bells()
    with reading() as session:
        assert calibrator_for(session, factories.default_catalog_id(client)) is not None
        assert calibrator_for(session, other.id) is None


def test_an_admin_goes_back_to_an_earlier_one_and_to_the_defaults(client, admin):  # noqa: F811
    catalog_id = factories.default_catalog_id(client)
    for seed in (1, 2):
        write(client, honest(900, seed=seed))
        admin.submit("/calibration/fits", {"catalog_id": str(catalog_id)})
        answer_bells()

    def used():
        with reading() as session:
            found = calibrator_for(session, catalog_id)
            return found and found.version

    assert used() == 2
    admin.submit("/calibration/choice", {"catalog_id": str(catalog_id), "version": "1"})
    assert used() == 1
    admin.submit("/calibration/choice", {"catalog_id": str(catalog_id), "version": ""})
    assert used() is None
    for nonsense in ("99", "x", "-1", "9" * 30):
        answer = admin.submit("/calibration/choice", {"catalog_id": str(catalog_id), "version": nonsense})
        assert answer.status_code == 404
    chosen = select(AuditEntry.new).where(AuditEntry.action == "calibration_chosen").order_by(AuditEntry.id)
    assert [entry["version"] for entry in db.session.execute(chosen).scalars()] == [1, 2, 1, None]


def test_the_command_fits_each_catalog_and_says_how_it_went(app, client):  # noqa: F811
    write(client, honest(900))
    slug = db.session.get_one(Client, client.id).slug
    answer = app.test_cli_runner().invoke(args=["fit-calibration", "--client", slug])
    assert answer.exit_code == 0
    assert "My products: Version 1 from" in answer.output
    assert "Another catalog: The defaults stay: 0 of 100 decisions" in answer.output
    wrong = app.test_cli_runner().invoke(args=["fit-calibration", "--client", "nobody"])
    assert wrong.exit_code == 1
    assert "no client with the short name" in wrong.output
