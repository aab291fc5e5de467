"""What a client knows of its products: found despite typos, never another client's, never the product in hand."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from uuid import uuid4

import pytest

from tests import factories
from webapp.catalog import services
from webapp.catalog.models import Product
from webapp.database import reading, tenant, transaction
from webapp.errors import Invalid

GTIN = "04548736132610"


@pytest.fixture
def client(in_app):
    """A client in whose name the test runs."""
    client = factories.make_client()
    with tenant(client.id):
        yield client


@pytest.fixture
def headphones(client):
    return factories.make_product(
        client,
        name="Sony WH-1000XM4 Wireless Headphones",
        brand="Sony",
        model="WH-1000XM4",
        gtin14=GTIN,
        sku="H-4",
        price=Decimal("249.00"),
        currency="EUR",
    )


def names(words: str, **options) -> list[str]:
    with reading() as session:
        return [record.name for record in services.search(session, words, **options)]


@pytest.mark.parametrize(
    "words",
    ["Sony WH-1000XM4 Wireless Headphones", "sonny wh-1000 xm4", "SONY HEADPHNES WIRELESS", "wh-1000xm4", "h-4 sony"],
)
def test_search_forgives_typos_case_and_missing_words(client, headphones, words):
    factories.make_product(client, name="Bosch Cordless Drill 18 V", brand="Bosch")
    assert names(words) == ["Sony WH-1000XM4 Wireless Headphones"]


def test_search_finds_accents_typed_without(client):
    factories.make_product(client, name="Crème Brûlée Torch")
    assert names("creme brulee torch") == ["Crème Brûlée Torch"]


def test_search_gives_the_best_first_and_no_more_than_asked(client, headphones):
    for number in range(5):
        factories.make_product(client, name=f"Sony Radio {number}", brand="Sony")
    assert names("Sony WH-1000XM4 Headphones", limit=2)[0] == "Sony WH-1000XM4 Wireless Headphones"
    assert len(names("Sony", limit=2)) == 2
    assert names("Sony", limit=0) == []


@pytest.mark.parametrize("words", ["", "   ", "\x00", "%", "'; DROP TABLE products; --", "x" * 5000])
def test_search_for_nonsense_finds_nothing(client, headphones, words):
    assert names(words) == []


def test_search_leaves_out_the_product_in_hand_the_nameless_and_the_deleted(client, headphones):
    factories.make_product(client, brand="Sony", model="WH-1000XM4")
    gone = factories.make_product(client, name="Sony WH-1000XM4 Gone", brand="Sony")
    with transaction() as session:
        session.get_one(Product, gone.id).deleted_at = gone.created_at
    twin = factories.make_product(client, name="Sony WH-1000XM4 Twin", brand="Sony")
    assert names("Sony WH-1000XM4", exclude=headphones.id) == [twin.name]


def test_nothing_of_another_client_is_known(client, headphones):
    with tenant(factories.make_client().id), reading() as session:
        assert services.search(session, "Sony WH-1000XM4") == []
        assert services.find_by_gtin(session, GTIN) == []
        assert list(services.brands(session)) == []
        assert [choice.name for choice in services.choices(session)] == ["My products"]


def test_gtin_finds_exactly_its_products_newest_first(client, headphones):
    newer = factories.make_product(client, name="Sony WH-1000XM4, black", gtin14=GTIN)
    factories.make_product(client, gtin14=GTIN)
    factories.make_product(client, name="Another", gtin14="04006381333931")
    with reading() as session:
        found = services.find_by_gtin(session, GTIN)
        assert [record.id for record in found] == [str(newer.id), str(headphones.id)]
        assert services.find_by_gtin(session, GTIN, exclude=newer.id) == [
            services.Record(
                source="catalog",
                id=str(headphones.id),
                name="Sony WH-1000XM4 Wireless Headphones",
                brand="Sony",
                model="WH-1000XM4",
                gtin14=GTIN,
                sku="H-4",
                price=Decimal("249.00"),
                currency="EUR",
            )
        ]


def test_brands_come_as_they_are_written_the_commonest_first(client):
    for brand in ("Bosch", "Sony", "Sony", "", None):
        factories.make_product(client, brand=brand)
    with reading() as session:
        assert list(services.brands(session)) == ["Sony", "Bosch"]


@pytest.mark.parametrize(
    "look",
    [
        lambda session: services.search(session, "Sony radio"),
        lambda session: services.find_by_gtin(session, GTIN),
        services.brands,
        services.choices,
    ],
)
def test_each_look_up_is_one_query_whatever_it_finds(client, count_queries, look):
    for number in range(8):
        factories.make_product(client, name=f"Sony Radio {number}", brand=f"Sony {number}", gtin14=GTIN)
    with count_queries() as statements, reading() as session:
        look(session)
    assert len(statements) == 1


# --- catalogs -------------------------------------------------------------------------------------


def test_product_goes_to_the_default_catalog_unless_another_is_chosen(client):
    chosen = factories.make_catalog(client, "Vendors")
    with reading() as session:
        assert services.catalog_for(session, None) == factories.default_catalog_id(client)
        assert services.catalog_for(session, chosen.id) == chosen.id
        assert [choice.name for choice in services.choices(session)] == ["My products", "Vendors"]


def test_inactive_and_foreign_catalogs_take_nothing(client):
    inactive = factories.make_catalog(client, status="inactive")
    foreign = factories.make_catalog(factories.make_client())
    with reading() as session:
        for catalog in (inactive, foreign):
            with pytest.raises(Invalid) as caught:
                services.catalog_for(session, catalog.id)
            assert caught.value.fields.keys() == {"catalog"}
        assert len(services.choices(session)) == 1


# --- codes ----------------------------------------------------------------------------------------


def code(client, **changes) -> str:
    product = factories.make_product(client, **changes)
    with tenant(client.id), transaction() as session:
        return services.new_code(session, client.id, product.name)


def test_codes_count_the_clients_named_products(client):
    assert code(client, name="AI Power Hour") == "01_ai_power_hour"
    assert code(client, name="Crème brûlée: 2 pcs!") == "02_creme_brulee_2_pcs"
    assert code(factories.make_client(), name="AI Power Hour") == "01_ai_power_hour"
    assert code(client, name="!!!") == "03"
    assert code(client, name="Kettle " * 30).startswith("04_kettle_kettle")


def test_code_that_an_import_brought_is_stepped_over(client):
    factories.make_product(client, code="01_kettle")
    assert code(client, name="Kettle") == "02_kettle"


def test_codes_given_at_the_same_moment_differ(app, client):
    def give(_) -> str:
        with app.app_context(), tenant(client.id), transaction() as session:
            return services.new_code(session, client.id, "Kettle")

    with ThreadPoolExecutor(6) as pool:
        codes = sorted(pool.map(give, range(6)))
    assert codes == [f"{number:02d}_kettle" for number in range(1, 7)]


def test_what_the_machine_named_is_no_witness_until_a_person_settled_it(in_app):
    client = factories.make_client()
    guess = factories.make_product(client, name="Guessed Kettle", gtin14="04006381333931", upload_key=uuid4())
    with tenant(client.id), transaction() as session:
        assert services.find_by_gtin(session, "04006381333931") == []
        session.get_one(Product, guess.id).fixed_fields = ["name"]
        session.flush()
        assert [record.name for record in services.find_by_gtin(session, "04006381333931")] == ["Guessed Kettle"]
