"""A person's own words in a listing: kept over later runs, written down, marked, never half."""

import re
from decimal import Decimal

import msgspec
import pytest
from sqlalchemy import text

from tests.ai.conftest import TEXTS, model, use_models  # noqa: F401 - fixtures
from tests.factories import make_client, make_member
from tests.pipeline.conftest import answer_bells, client, fresh, make_run  # noqa: F401 - fixtures
from webapp.access.models import Role
from webapp.catalog.models import Product
from webapp.database import db, transaction
from webapp.phases.facts import Field, Listing
from webapp.phases.listing.edited import with_edited
from webapp.phases.listing.missing import NO_CATEGORY, NO_PRICE
from webapp.pipeline import findings, services, settling
from webapp.pipeline.models import PhaseName, Run
from webapp.pipeline.tasks import ENGINES

MINE = {
    "title": "My own pen",
    "bullets": "- Writes blue\n\n  Made of tin  ",
    "description": "It is mine.\r\n\r\nTake it.",
}


@pytest.fixture
def reviewer(client, sign_in):  # noqa: F811
    return sign_in(make_member(client, Role.REVIEWER), client)


def listing(run):
    with transaction() as session:
        return findings.read_all(session, run.id)[1][PhaseName.LISTING]


def path(run):
    return f"/products/{run.product_id}/listing/texts"


def save(browser, run, values, **more):
    """As a page of ours would, which knows which listing it shows."""
    seen = re.search(r'name="seen" value="([^"]*)"', browser.get(path(run)).text)
    return browser.submit(path(run), {"seen": seen[1] if seen else ""} | values, **more)


def test_what_a_person_writes_stands_unmarked(model, use_models, make_run, reviewer):  # noqa: F811
    use_models(model.environ(NAME="Tiny"))
    run = make_run()
    answer_bells()
    page = reviewer.get(path(run)).text
    assert f'value="{TEXTS["title"]}"' in page
    assert TEXTS["description"] in page
    answer = save(reviewer, run, MINE | {"description": TEXTS["description"]})
    assert answer.status_code == 303
    db.session.rollback()
    found = listing(run)
    assert (found.title, found.titles["ebay"]) == ("My own pen", "My own pen")
    assert found.bullets == ("Writes blue", "Made of tin")
    assert (found.written, found.edited) == ({"description": "Tiny"}, ("title", "bullets"))
    page = reviewer.get(f"/products/{run.product_id}/listing").text
    assert page.count("written by a model: Tiny") == 1
    assert page.count("written by a person") == 3, "the title twice"
    assert "Listing edited by" in reviewer.get(f"/products/{run.product_id}").text


def test_a_later_run_keeps_it_and_asks_no_model_for_it(model, use_models, make_run, reviewer):  # noqa: F811
    use_models(model.environ())
    run = make_run()
    answer_bells()
    save(reviewer, run, MINE)
    db.session.rollback()
    with transaction() as session:
        session.execute(text("DELETE FROM ai_answers"))
        again = services.run_again(session, run.product_id, None)
    answer_bells()
    found = listing(again)
    assert (found.title, found.description) == ("My own pen", "It is mine.\n\nTake it.")
    assert found.edited == ("title", "bullets", "description")
    assert len(model.asked) == 1


def test_a_price_and_a_category_that_nothing_told_are_set_by_a_person_and_stay(make_run, reviewer):  # noqa: F811
    run = make_run()
    answer_bells()
    page = reviewer.get(path(run)).text
    assert "Price in USD" in page
    same = {name: value for name, value in MINE.items() if name != "title"} | {"title": "Nothing"}
    for wrong in ("0", "-1", "a lot", "1e9", "12.345"):
        answer = save(reviewer, run, same | {"price": wrong, "category": "Pens"})
        assert answer.status_code == 422
        assert f'value="{wrong}"' in answer.text
    save(reviewer, run, same | {"price": "12,5", "category": " Office >  Pens "})
    db.session.rollback()
    found = listing(run)
    assert (found.price, found.currency, found.category) == ("12.50", "USD", "Office > Pens")
    assert found.edited == ("bullets", "description", "price", "category")
    assert found.price_reasons == ("A person set it.",)
    product = fresh(Product, run.product_id)
    assert (product.price, product.currency, product.category) == (Decimal("12.50"), "USD", "Office > Pens")
    assert "written by a person" in reviewer.get(f"/products/{run.product_id}/listing").text
    assert (
        "Nothing was changed"
        in save(reviewer, run, same | {"price": "12.5", "category": ""}, follow_redirects=True).text
    )
    with transaction() as session:
        again = services.run_again(session, run.product_id, None)
    answer_bells()
    assert (listing(again).price, listing(again).category) == ("12.50", "Office > Pens")
    assert fresh(Product, run.product_id).price == Decimal("12.50")


def test_desk_and_product_tell_how_much_a_listing_lacks(app, make_run, reviewer):  # noqa: F811
    app.config["PHASE_ENGINES"][PhaseName.LISTING] = ENGINES[PhaseName.LISTING]
    run = make_run()
    answer_bells()
    missing = listing(run).missing
    assert NO_PRICE in missing
    assert f"Listing is ready, {len(missing)} to add" in " ".join(reviewer.get("/").text.split())
    page = reviewer.get(f"/products/{run.product_id}").text
    assert f">{len(missing)} to add to the listing</a>" in page
    assert page.count('id="to-add"') == 1
    assert save(reviewer, run, MINE | {"price": "12.50", "category": ""}).status_code == 303
    assert fresh(Run, run.id).to_add == len(missing) - 1
    assert f"{len(missing) - 1} to add" in reviewer.get("/").text


def test_what_a_person_set_is_not_missing_any_more():
    bare = Listing(
        title="", bullets=(), description="", price=None, currency=None, price_reasons=(), category=None,
        condition=None, specifics=(), titles={}, missing=(NO_PRICE, "Photos.", NO_CATEGORY),
    )  # fmt: skip
    assert with_edited(bare, {"price": "3.00", "currency": "EUR"}).missing == ("Photos.", NO_CATEGORY)
    assert with_edited(bare, {"category": "Pens"}).missing == (NO_PRICE, "Photos.")


def test_what_is_left_as_it_was_is_nobodys_edit(make_run, reviewer):  # noqa: F811
    run = make_run()
    answer_bells()
    before = listing(run)
    same = {"title": before.title, "bullets": "\n".join(before.bullets), "description": before.description}
    assert "Nothing was changed" in save(reviewer, run, same, follow_redirects=True).text
    assert listing(run) == before


def test_the_edit_is_written_down_with_what_was_there_before(make_run, reviewer):  # noqa: F811
    run = make_run()
    answer_bells()
    save(reviewer, run, MINE)
    db.session.rollback()
    with transaction() as session:
        old, new = session.execute(text("SELECT old, new FROM audit WHERE action = 'listing_edited'")).one()
    assert (old["title"], new["title"]) == ("Nothing", "My own pen")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"title": " "}, "Give it a title."),
        ({"title": "x" * 81}, "Use at most 80 characters."),
        ({"bullets": "a\n" * 9}, "Use at most 8 lines."),
        ({"bullets": "x" * 251}, "Use at most 250 characters a line."),
        ({"description": "x " * 2501}, "Use at most 5000 characters."),
    ],
)
def test_what_does_not_fit_is_named_and_kept_in_the_form(make_run, reviewer, change, says):  # noqa: F811
    run = make_run()
    answer_bells()
    answer = save(reviewer, run, {"title": "A pen", "bullets": "b", "description": "d"} | change)
    assert answer.status_code == 422
    assert says in answer.text
    assert listing(run).edited == ()


def test_markup_is_text(make_run, reviewer):  # noqa: F811
    run = make_run()
    answer_bells()
    save(reviewer, run, MINE | {"title": "<script>alert(1)</script>"})
    db.session.rollback()
    assert "<script>alert" not in reviewer.get(f"/products/{run.product_id}/listing").text


def test_a_listing_that_is_being_written_is_not_edited(make_run, reviewer):  # noqa: F811
    run = make_run()
    assert reviewer.get(path(run)).status_code == 404
    assert save(reviewer, run, MINE).status_code == 404
    answer_bells()
    with transaction() as session:
        session.execute(
            text("UPDATE work SET state = 'ready' WHERE id IN (SELECT work_id FROM phases WHERE number = 4)")
        )
    assert save(reviewer, run, MINE).status_code == 409
    assert listing(run).edited == ()


def test_staff_and_other_clients_do_not_edit(client, make_run, sign_in):  # noqa: F811
    run = make_run()
    answer_bells()
    assert sign_in(make_member(client), client).submit(path(run), MINE).status_code == 403
    other = make_client()
    assert sign_in(make_member(other, Role.ADMIN), other).submit(path(run), MINE).status_code == 404
    assert db.session.get_one(Run, run.id).id == run.id
    assert listing(run).edited == ()


def test_who_wrote_on_an_older_listing_is_told_and_keeps_what_they_typed(make_run, reviewer, client, sign_in):  # noqa: F811
    run = make_run()
    answer_bells()
    same = {name: value for name, value in MINE.items() if name != "title"} | {"title": "Nothing"}
    [seen] = re.findall(r'name="seen" value="([^"]+)"', reviewer.get(path(run)).text)
    save(sign_in(make_member(client, Role.ADMIN), client), run, same | {"price": "20", "category": ""})
    answer = reviewer.submit(path(run), MINE | {"price": "", "category": "", "seen": seen})
    assert answer.status_code == 409
    assert "was changed while you wrote" in answer.text
    assert 'value="My own pen"' in answer.text
    theirs = answer.text[answer.text.index("As it is now") : answer.text.index("</dl>")]
    assert re.findall(r'<dd class="prose">(.*?)</dd>', theirs) == ["Nothing", "20.00"]  # what is the same is left out
    db.session.rollback()
    assert (listing(run).price, listing(run).title) == ("20.00", "Nothing")
    [now] = re.findall(r'name="seen" value="([^"]+)"', answer.text)
    assert reviewer.submit(path(run), MINE | {"price": "", "category": "", "seen": now}).status_code == 303
    db.session.rollback()
    assert (listing(run).price, listing(run).title) == ("20.00", "My own pen")


def test_a_price_in_the_clients_former_money_is_not_shown_as_if_it_were_in_the_new(make_run, reviewer, client):  # noqa: F811
    run = make_run()
    answer_bells()
    same = {name: value for name, value in MINE.items() if name != "title"} | {"title": "Nothing", "category": ""}
    save(reviewer, run, same | {"price": "20"})
    db.session.rollback()
    with transaction() as session:
        session.execute(text("UPDATE clients SET currency = 'EUR'"))
    page = reviewer.get(path(run)).text
    assert "Price in EUR" in page
    assert 'value="20.00"' not in page
    save(reviewer, run, same | {"price": "20"})
    db.session.rollback()
    assert (listing(run).price, listing(run).currency) == ("20.00", "EUR")


def test_a_category_that_a_person_wrote_stays_in_the_product_while_it_is_run_again(make_run, reviewer):  # noqa: F811
    run = make_run()
    answer_bells()
    save(reviewer, run, MINE | {"price": "", "category": "Pens"})
    db.session.rollback()
    found = findings_of_analysis(run)
    with transaction() as session:
        settling.apply_analysis(session, run.product_id, found)
    assert fresh(Product, run.product_id).category == "Pens"


def findings_of_analysis(run):
    with transaction() as session:
        found = findings.read_all(session, run.id)[1][PhaseName.ANALYSIS]
    return msgspec.structs.replace(found, category=Field(value="Other", confidence=90))
