"""Corrections that repeat propose a rule; an admin accepts it or not, and takes it back."""

import pytest
from sqlalchemy import insert, select

from tests import factories
from tests.pipeline import judging
from tests.pipeline.conftest import answer_bells, client, fresh, make_run  # noqa: F401 - fixtures
from webapp.audit.models import AuditEntry
from webapp.catalog.models import Product
from webapp.database import db, transaction
from webapp.learning import services
from webapp.learning.models import Correction, Rule, RuleState, RuleUse
from webapp.pipeline import findings
from webapp.pipeline.models import PhaseName, Run

BETTER = {"name": "Kettle K1", "brand": "Acme", "model": "", "condition": "", "gtin": "4006381333931"}


@pytest.fixture
def unsure(app, client):  # noqa: F811
    app.config["PHASE_ENGINES"][PhaseName.ANALYSIS] = judging.ANALYSIS


@pytest.fixture
def admin(client, sign_in):  # noqa: F811
    user = factories.make_member(client, "admin", name="Ann")
    browser = sign_in(user, client)
    browser.user = user
    return browser


@pytest.fixture
def correct(unsure, admin, make_run):  # noqa: F811
    """Uploads a product that the machine is not sure of, and corrects it."""

    def corrected(**values) -> Run:
        run = make_run(model="50")
        answer_bells()
        assert admin.submit(f"/reviews/{run.id}/decision", {**BETTER, **values}).status_code == 303
        answer_bells()
        return run

    return corrected


@pytest.fixture
def proposed(correct) -> list[Rule]:
    """The rules that three equal corrections propose."""
    for _ in range(services.TIMES):
        correct()
    return rules()


def rules(**only) -> list[Rule]:
    db.session.expire_all()
    return list(db.session.execute(select(Rule).filter_by(**only).order_by(Rule.key_kind)).scalars())


def test_two_equal_corrections_propose_nothing_and_a_third_does(correct):
    for _ in range(services.TIMES - 1):
        correct()
    assert rules() == []
    correct()
    assert [(rule.key_kind, rule.key_value, rule.field, rule.old, rule.new, rule.state) for rule in rules()] == [
        ("brand", "acme", "name", "Kettle", "Kettle K1", RuleState.PROPOSED),
        ("gtin", judging.GTIN, "name", "Kettle", "Kettle K1", RuleState.PROPOSED),
    ]


def test_corrections_that_differ_propose_nothing(correct):
    for name in ("Kettle K1", "Kettle K2", "Kettle K3"):
        correct(name=name)
    assert rules() == []


def test_one_product_corrected_again_and_again_counts_once(correct):
    run = correct()
    with transaction() as session:
        again = session.execute(select(Correction).where(Correction.run_id == run.id)).scalars().all()
        copied = [
            {name: getattr(row, name) for name in ("client_id", "run_id", "product_id", "field", "old", "new")}
            | {"key_kind": row.key_kind, "key_value": row.key_value}
            for row in again
        ]
        session.execute(insert(Correction), copied * 3)
    correct()
    assert rules() == []


def test_the_card_names_the_products_that_it_stands_on(proposed, correct, admin):
    page = admin.get("/rules").text
    for product in db.session.execute(select(Product)).scalars():
        assert f'<a href="/products/{product.id}">Kettle K1</a>' in " ".join(page.split())
        assert f'<small class="faint">{product.code}</small>' in page


def test_a_rule_that_changes_its_own_key_reads_as_a_sentence(client, admin):  # noqa: F811
    with transaction() as session:
        for field in ("brand", "name"):
            kept = {"field": field, "old": "Acme Fods", "new": "Acme Foods", "key_kind": "brand"}
            session.add(Rule(client_id=client.id, key_value="acme fods", **kept))
    page = admin.get("/rules").text
    assert "Where “acme fods” is read as the brand, it is corrected:" in page
    assert "On products of the brand “acme fods” the name changes:" in page


def test_admins_see_on_every_page_that_a_rule_was_proposed(client, proposed, admin, sign_in, count_queries):  # noqa: F811
    with count_queries() as many:
        page = admin.get("/reviews").text
    assert " ".join(page.split()).count('<span class="count">2') == 2, "beside the name, and in its menu"
    for rule in proposed:
        admin.submit(f"/rules/{rule.id}/refusal", follow_redirects=True)
    with count_queries() as none:
        assert "proposed" not in admin.get("/reviews").text
    reviewer = sign_in(factories.make_member(client, "reviewer"), client)
    admin.submit(f"/rules/{proposed[0].id}/proposal")
    with count_queries() as reviewers:
        assert "proposed" not in reviewer.get("/reviews").text
    assert len(many) == len(none) == len(reviewers)


def test_a_proposal_changes_nothing_until_it_is_accepted(proposed, make_run):  # noqa: F811
    run = make_run()
    answer_bells()
    assert fresh(Product, run.product_id).name == "Kettle"


def test_an_accepted_rule_is_a_witness_of_the_next_analysis(proposed, admin, make_run):  # noqa: F811
    rule = proposed[0]
    answer = admin.submit(f"/rules/{rule.id}/acceptance", follow_redirects=True)
    assert "Accepted." in answer.text
    run = make_run()
    answer_bells()
    assert fresh(Product, run.product_id).name == "Kettle K1"
    with transaction() as session:
        found = findings.read_all(session, run.id)[1][PhaseName.ANALYSIS]
    assert "accepted by Ann" in found.name.evidence[0].says
    use = db.session.execute(select(RuleUse)).scalar_one()
    assert (use.rule_id, use.run_id) == (rule.id, run.id)
    assert "changed 1 product" in admin.get("/rules").text
    assert "accepted by Ann" in admin.get(f"/products/{run.product_id}").text
    entry = db.session.execute(select(AuditEntry).where(AuditEntry.action == "rule_accepted")).scalar_one()
    assert entry.details == {"field": "name", "from": "Kettle", "to": "Kettle K1", "brand": "acme"}


def test_a_rule_that_was_taken_back_holds_no_more(proposed, admin, make_run):  # noqa: F811
    rule = proposed[0]
    for what in ("acceptance", "return"):
        admin.submit(f"/rules/{rule.id}/{what}")
    run = make_run()
    answer_bells()
    assert fresh(Product, run.product_id).name == "Kettle"
    admin.submit(f"/rules/{rule.id}/acceptance")
    assert fresh(Rule, rule.id).state is RuleState.ACCEPTED


def test_a_refused_rule_is_not_proposed_again_but_can_be_reopened(proposed, admin, correct):
    rule = proposed[0]
    admin.submit(f"/rules/{rule.id}/refusal")
    correct()
    assert fresh(Rule, rule.id).state is RuleState.REFUSED
    assert len(rules()) == len(proposed)
    admin.submit(f"/rules/{rule.id}/proposal")
    assert fresh(Rule, rule.id).state is RuleState.PROPOSED


def test_the_second_of_two_admins_is_told(proposed, admin):
    rule = proposed[0]
    admin.submit(f"/rules/{rule.id}/refusal")
    late = admin.submit(f"/rules/{rule.id}/refusal", follow_redirects=True)
    assert "somebody else was faster" in late.text


def test_two_accepted_rules_never_contradict_each_other(proposed, client, admin):  # noqa: F811
    rule = proposed[0]
    with transaction() as session:
        other = Rule(
            client_id=client.id,
            field="name",
            old="Kettle",
            new="Teapot",
            key_kind=rule.key_kind,
            key_value=rule.key_value,
        )
        session.add(other)
        session.flush()
    admin.submit(f"/rules/{rule.id}/acceptance")
    answer = admin.submit(f"/rules/{other.id}/acceptance", follow_redirects=True)
    assert "says something else" in answer.text
    assert fresh(Rule, other.id).state is RuleState.PROPOSED


def test_an_audit_taken_back_takes_its_proposal_along(client, correct, admin, make_run):  # noqa: F811
    correct(), correct()
    with transaction() as session:
        session.merge(client).audit_percent = 100
    run = make_run()
    answer_bells()
    admin.submit(f"/reviews/{run.id}/decision", BETTER)
    assert len(rules()) == 2
    admin.submit(f"/reviews/{run.id}/decision/return")
    assert rules() == []


def test_reviewers_read_and_admins_decide(client, proposed, sign_in):  # noqa: F811
    reviewer = sign_in(factories.make_member(client, "reviewer"), client)
    page = reviewer.get("/rules").text
    assert "Kettle K1" in page
    assert "acceptance" not in page
    for what in ("acceptance", "refusal", "return", "proposal"):
        assert reviewer.submit(f"/rules/{proposed[0].id}/{what}").status_code == 403
    staff = sign_in(factories.make_member(client, "staff"), client)
    assert staff.get("/rules").status_code == 403


def test_another_clients_rules_are_not_there(proposed, sign_in):
    elsewhere = factories.make_client()
    stranger = sign_in(factories.make_member(elsewhere, "admin"), elsewhere)
    assert "No rules here" in stranger.get("/rules").text
    assert stranger.submit(f"/rules/{proposed[0].id}/acceptance").status_code == 404
    assert fresh(Rule, proposed[0].id).state is RuleState.PROPOSED


def test_rules_come_in_pages_with_the_same_number_of_queries(client, proposed, admin, count_queries):  # noqa: F811
    admin.get("/rules")
    with count_queries() as few:
        admin.get("/rules")
    with transaction() as session:
        for number in range(40):
            session.add(
                Rule(client_id=client.id, field="name", old="x", new=f"y{number}", key_kind="brand", key_value="other")
            )
    with count_queries() as many:
        page = admin.get("/rules").text
    assert len(many) == len(few)
    assert page.count('class="card card-in rule"') == 25
    following = admin.get("/rules?" + page.split('href="/rules?before=')[1].split('"')[0].join(["before=", ""])).text
    assert following.count('class="card card-in rule"') == 17
    assert admin.get("/rules?state=accepted").text.count('class="card card-in rule"') == 0
    for nonsense in ("before=x", "before=" + "9" * 40, "state=%00", "state=nothing"):
        assert admin.get(f"/rules?{nonsense}").status_code in (200, 400)


# --- the next identical item ------------------------------------------------------------------------


def test_the_very_same_photo_of_a_settled_product_is_found_again(client):  # noqa: F811
    from webapp.pipeline.knowledge import same_photo

    settled = factories.make_product(client, name="Kettle K1", fixed_fields=["name"], upload_key=None)
    guessed = factories.make_product(client, name="Machine's guess")
    new = factories.make_product(client)
    for number, product in enumerate((settled, guessed, new)):
        factories.make_photo(product, sha256="a" * 64, position=number)
    assert [record.name for record in same_photo(new.id, ["a" * 64])] == ["Kettle K1"]
    assert same_photo(new.id, ["b" * 64]) == ()
    assert same_photo(settled.id, ["a" * 64]) == ()
