"""Dated exchange rates: from files into the table, and from there into prices."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from tests import factories
from webapp.audit.models import AuditEntry
from webapp.database import reading, tenant
from webapp.engines import system_engine
from webapp.phases import rates_csv
from webapp.phases.facts import Rate
from webapp.phases.rates_csv import DatedRate, TableError
from webapp.providers import rates
from webapp.providers.commands import import_rates_command
from webapp.providers.rates import REACH_DAYS, DatedRates

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
ECB = """Date,USD,JPY,BGN,CYP,GBP,
2026-11-20,1.25,160.00,N/A,N/A,0.80,
2026-11-19,1.20,150.00,1.9558,N/A,0.75,
"""


def read(table):
    return rates_csv.parse(table.encode(), NOW)


def kept(*rows):
    with system_engine().begin() as connection:
        return rates.keep(
            connection,
            [DatedRate(day=day, base=base, quote=quote, rate=Decimal(rate)) for day, base, quote, rate in rows],
        )


FRIDAY, MONDAY = date(2026, 11, 20), date(2026, 11, 23)


def test_the_central_banks_file_is_read_and_what_was_not_fixed_is_no_rate():
    found = read(ECB)
    assert {(rate.day.day, rate.quote): str(rate.rate.normalize()) for rate in found.rates} == {
        (20, "USD"): "1.25", (20, "JPY"): "1.6E+2", (20, "GBP"): "0.8",
        (19, "USD"): "1.2", (19, "JPY"): "1.5E+2", (19, "BGN"): "1.9558", (19, "GBP"): "0.75",
    }  # fmt: skip
    assert {rate.base for rate in found.rates} == {"EUR"}
    assert (found.problems, found.ignored, found.rows_rejected) == ((), ("CYP",), 0)


def test_the_daily_file_with_its_own_way_of_dates_is_read():
    found = read("Date, USD, JPY, \n20 November 2026, 1.25, 160.00, \n")
    assert [(rate.day, rate.quote) for rate in found.rates] == [(FRIDAY, "USD"), (FRIDAY, "JPY")]


def test_one_rate_per_row_is_read():
    (found,) = read("rate;quote;base;date\n0,9222;eur;usd;20.11.2026\n").rates
    assert found == DatedRate(day=FRIDAY, base="USD", quote="EUR", rate=Decimal("0.9222"))


@pytest.mark.parametrize(
    ("row", "column", "says"),
    [
        ("soon,USD,EUR,1", "date", "This is not a date"),
        ("2027-01-01,USD,EUR,1", "date", "lies in the future"),
        ("2026-11-20,dollars,EUR,1", "base", "not a currency"),
        ("2026-11-20,USD,USD,1", "quote", "the base itself"),
        ("2026-11-20,USD,EUR,0", "rate", "so small"),
        ("2026-11-20,USD,EUR,-1", "rate", "not a rate"),
        ("2026-11-20,USD,EUR,NaN", "rate", "not a rate"),
        ("2026-11-20,USD,EUR", "", "cells"),
    ],
)
def test_a_bad_row_is_named_and_the_others_count(row, column, says):
    found = read(f"date,base,quote,rate\n{row}\n2026-11-20,GBP,EUR,1.2\n")
    (problem,) = found.problems
    assert (problem.line, problem.column, problem.rejected) == (2, column, True)
    assert says in problem.says
    assert [rate.base for rate in found.rates] == ["GBP"]


def test_a_bad_cell_of_the_central_bank_costs_that_rate_alone():
    found = read("Date,USD,GBP\n2026-11-20,much,0.80\n")
    (problem,) = found.problems
    assert (problem.line, problem.column, problem.value, problem.rejected) == (2, "USD", "much", False)
    assert [rate.quote for rate in found.rates] == ["GBP"]


@pytest.mark.parametrize("table", ["", "a,b\n1,2\n", "Date,CYP\n2026-11-20,1\n", "USD,Date\n1,2026-11-20\n"])
def test_another_table_is_refused_as_a_whole(table):
    with pytest.raises(TableError):
        read(table)


def test_any_money_is_converted_into_any_other_through_the_base(in_app):
    kept((FRIDAY, "EUR", "USD", "1.25"), (FRIDAY, "EUR", "GBP", "0.80"))
    found = DatedRates().into("GBP", {("USD", FRIDAY), ("EUR", FRIDAY), ("JPY", FRIDAY)})
    assert {key: rate.rate.normalize() for key, rate in found.items()} == {
        ("USD", FRIDAY): Decimal("0.64"),
        ("EUR", FRIDAY): Decimal("0.8"),
    }
    back = DatedRates().into("EUR", {("GBP", FRIDAY)})
    assert back[("GBP", FRIDAY)].rate == Decimal("1.25")


def test_a_day_without_a_rate_takes_the_nearest_one_before_it_within_reason(in_app):
    kept((FRIDAY, "EUR", "USD", "1.25"), (date(2026, 11, 24), "EUR", "USD", "2"))
    in_reach, too_far = (date.fromordinal(date(2026, 11, 24).toordinal() + REACH_DAYS + more) for more in (0, 1))
    wanted = {("USD", MONDAY), ("USD", date(2026, 11, 19)), ("USD", in_reach), ("USD", too_far)}
    found = DatedRates().into("EUR", wanted)
    assert found[("USD", MONDAY)] == Rate(rate=Decimal("0.8"), day=FRIDAY)
    assert ("USD", date(2026, 11, 19)) not in found, "a later rate says nothing of an earlier day"
    assert ("USD", in_reach) in found
    assert ("USD", too_far) not in found


def test_whatever_is_wanted_costs_one_query(in_app, count_queries):
    kept((FRIDAY, "EUR", "USD", "1.25"))
    with count_queries() as statements:
        DatedRates().into("EUR", {("USD", date.fromordinal(FRIDAY.toordinal() - days)) for days in range(200)})
    assert len(statements) == 1
    with count_queries() as statements:
        assert DatedRates().into("EUR", set()) == {}
    assert statements == []


def test_a_clients_login_reads_rates_and_writes_none(in_app):
    kept((FRIDAY, "EUR", "USD", "1.25"))
    with tenant(factories.make_client().id), reading() as session:
        assert session.execute(text("SELECT count(*) FROM exchange_rates")).scalar_one() == 2
        with pytest.raises(ProgrammingError, match="permission denied"):
            session.execute(text("UPDATE exchange_rates SET rate = 2"))
        session.rollback()


def test_the_command_writes_says_and_records(app, in_app, tmp_path):
    file = tmp_path / "eurofxref-hist.csv"
    file.write_text(ECB.replace("1.25", "?"), encoding="utf-8")
    run = app.test_cli_runner().invoke
    done = run(import_rates_command, [str(file)])
    assert done.exit_code == 1
    assert "line 2, column USD, “?”" in done.output
    assert "Rates: 6 new, 0 updated, 0 unchanged. Rows: 2 read, 0 rejected." in done.output
    file.write_text(ECB.replace("0.75", "0.76"), encoding="utf-8")
    done = run(import_rates_command, [str(file)])
    assert done.exit_code == 0
    assert "Rates: 1 new, 1 updated, 5 unchanged." in done.output
    assert DatedRates().into("EUR", {("JPY", FRIDAY)})[("JPY", FRIDAY)].rate == Decimal("0.00625")


def test_the_import_is_in_the_installations_audit(app, in_app, owner, tmp_path):
    file = tmp_path / "rates.csv"
    file.write_text("date,base,quote,rate\n2026-11-20,USD,EUR,0.9\n", encoding="utf-8")
    app.test_cli_runner().invoke(import_rates_command, [str(file)])
    row = owner.execute(f"SELECT client_id, details FROM {AuditEntry.__tablename__} WHERE action = 'rates_imported'")
    assert row.fetchall() == [(None, {"file": "rates.csv", "problems": 0, "inserted": 1, "updated": 0, "unchanged": 0})]
