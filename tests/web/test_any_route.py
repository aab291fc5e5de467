"""Every route that a person can reach, with fields that forms have and values that nobody expects: never a 500."""

import random
import re
from pathlib import Path

import pytest

from tests import factories
from tests.architecture.test_routes import marks
from tests.pipeline.conftest import answer_bells, client, make_run  # noqa: F401 - fixtures
from webapp.access.guard import Open
from webapp.access.models import Role
from webapp.pipeline.models import PhaseName

ROOT = Path(__file__).parents[2]
ASKED_FOR = re.compile(r"""(?:form|args|values|files|fields?)(?:\.get|\.getlist)?[(\[]"([a-z_]+)"|name="([a-z_]+)\"""")
SPARED = {"access.sign_out", "access.switch"}  # they would end the session that the others need
ROUNDS = 40


def names_of_fields():
    """What forms and addresses of the app are asked for, by its own sources."""
    sources = [*ROOT.glob("webapp/*/*.py"), *ROOT.glob("templates/**/*.html")]
    found = {"".join(pair) for source in sources for pair in ASKED_FOR.findall(source.read_text())}
    return sorted(found - {"csrf_token"})


def strange(ident):
    """Values that are no value, one too long, too large, of another kind, of another form, of another language."""
    return [
        *("", " ", "0", "-1", "1e400", "NaN", "99999999999999999999999", "9" * 3000, "1.5", "0x10", "１２"),
        *("\0", "a\0b", "x" * 20_000, "<script>alert(1)</script>", "'; DROP TABLE runs; --", "%", "\\", "💩" * 300),
        *("add", "remove", "role", "link", "profile", "on", "true", "null", "[]", "{}", '{"a": [1]}', "2026-02-30"),
        *(ident, ident.upper(), f"{ident},{ident}", "../../etc/passwd", "//evil.example", "javascript:alert(1)"),
        *("staff", "reviewer", "admin", "owner", "80", "100.0001", "4006381333931", "EUR", "\u202eabc", "\ud83d"),
    ]


@pytest.fixture
def things(app, client, make_run):  # noqa: F811
    """Ids of what exists: a product, its run, a photo; the run waits for a person."""
    app.config["PHASE_ENGINES"][PhaseName.ANALYSIS] = "tests.pipeline.engines.unsure"
    runs = [make_run() for _ in range(3)]
    answer_bells()
    return runs


def addresses(app, rule, things, client):  # noqa: F811
    """Addresses that the rule matches: about what exists, and about what does not."""
    run = things[0]
    known = {"run_id": run.id, "product_id": run.product_id, "client_id": client.id, "variant": "thumb"}
    whole = {name: 1 for name, kind in rule._converters.items() if type(kind).__name__ == "IntegerConverter"}
    words = dict.fromkeys(rule.arguments - known.keys() - whole.keys(), "x")
    for values in (whole | words | known, dict.fromkeys(whole, 2**63) | words | known):
        for fallback in ("x", str(run.id)):
            try:
                with app.test_request_context():
                    filled = {name: fallback if values[name] == "x" else values[name] for name in rule.arguments}
                    yield app.url_map.bind("localhost").build(rule.endpoint, filled, method=sorted(rule.methods)[0])
            except ValueError:
                continue


@pytest.mark.parametrize("seed", range(3))
def test_no_route_answers_nonsense_with_a_fault(app, client, things, sign_in, seed):  # noqa: F811
    """Each route, as the role with most rights, with random fields of forms and random values."""
    chance = random.Random(seed)
    fields = names_of_fields()
    assert len(fields) > 20
    admin = sign_in(factories.make_member(client, Role.ADMIN), client)
    token = admin.form_token()
    tried = 0
    for rule in app.url_map.iter_rules():
        if rule.websocket or rule.endpoint in SPARED or marks(app)[rule.endpoint] is Open.BARE:
            continue
        found = list(addresses(app, rule, things, client))
        assert found, f"no address could be made for {rule.rule}: teach this test its arguments"
        for address in {*found}:
            for _ in range(ROUNDS // len(found)):
                sent = {
                    name: chance.choice(strange(str(things[0].id))).encode("utf-8", "surrogatepass")
                    for name in chance.sample(fields, chance.randint(0, 12))
                }
                for method in rule.methods - {"OPTIONS", "HEAD"}:
                    if method == "GET":
                        answer = admin.get(address, query_string={k: v[:500] for k, v in sent.items()})
                    else:
                        answer = admin.open(address, method=method, data=sent | {"csrf_token": token})
                    assert answer.status_code < 500, (method, address, sent)
                    tried += 1
    assert tried > 500
    assert admin.get("/account").status_code == 200, "the session outlived it"
