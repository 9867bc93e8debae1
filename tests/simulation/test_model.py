"""The independent model, held to the figures that the documentation prints."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from simulation.catalog import CATALOG
from simulation.model import Model
from simulation.model.days import Calendar
from simulation.model.facts import (
    Billed,
    Charged,
    Corrected,
    Fact,
    Funded,
    InvoicePaid,
    Joined,
    Left,
    Opened,
    Ordered,
    Standing,
    Turned,
    Units,
    Use,
    Used,
    Want,
)
from simulation.model.money import MAJOR, share_left
from simulation.model.storage import MEGABYTE, Storage, gigabytes_above
from simulation.tenants import Tariff

MINUTES = Tariff(20_000, 7_500, 0, 60, 60)
CENT = MAJOR // 100


def _at(month: int, day: int, hour: int = 12) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


def _call(call_id: str, quantity: int, ended_at: datetime, called: str = "+15550100") -> Use:
    return Use(call_id, "voice", quantity, ended_at, "outbound", called)


def _price(amount: str) -> dict[str, Any]:
    return {"month": {"USD": amount}}


_PLANS: tuple[tuple[str, str, int, dict[str, Any]], ...] = (
    ("small", "31.00", 3_100, {}),
    ("large", "310.00", 6_200, {}),
    ("yearly", "31.00", 3_100, {"year": {"USD": "310.00"}}),
)
SMALL_AND_LARGE: dict[str, Any] = {
    "tax_rates": [],
    "licences": [
        {"licence": "crm", "mode": "named", "on_invite": "add_unit"},
        {"licence": "dialler", "mode": "pooled"},
    ],
    "plans": [
        {
            "plan": name,
            "price": {"month": {"USD": amount}, **year},
            "grants": [{"grant": "voice", "unit": "voice_seconds", "quantity": seconds}],
            "units": [
                {"licence": "crm", "included": 1, "minimum": 3, "price": _price("25.00")},
                {"licence": "dialler", "price": _price("40.00")},
            ],
        }
        for name, amount, seconds, year in _PLANS
    ],
    "packages": [{"package": "extra", "price": _price("20.00"), "grants": []}],
    "downgrade": "period_end",
}


def _march(*history: Fact, plan: str = "small") -> tuple[Model, Standing]:
    model = Model(SMALL_AND_LARGE, MINUTES)
    model.apply(Opened(_at(3, 1), "USD", "UTC", 1, plan))
    standing = model.apply(Billed(_at(3, 1), _at(3, 1, 0)))
    for fact in history:
        standing = model.apply(fact)
    return model, standing


def _order(*wants: Want, day: int = 17) -> Ordered:
    return Ordered(_at(3, day), _at(3, day), wants)


def _amounts(standing: Standing) -> list[int]:
    return [line.amount_micros // CENT for lines in standing.invoices for line in lines]


@pytest.mark.parametrize(
    ("price", "before", "days", "share"),
    [(4000, 16, 31, 1935), (2500, 16, 31, 1210), (2000, 16, 31, 968), (20000, 16, 365, 19123)],
)
def test_what_is_left_of_a_term_costs_what_the_page_says(
    price: int, before: int, days: int, share: int
) -> None:
    assert share_left(price * CENT, before, days, CENT) == share * CENT


def test_an_upgrade_gives_back_the_days_left_and_charges_them_anew() -> None:
    _, standing = _march(_order(Want("plan", "large")))
    assert _amounts(standing) == [-1500, 15000]
    assert standing.wallet_micros == -13500 * CENT


def test_months_become_a_year_that_begins_with_the_present_period() -> None:
    _, standing = _march(_order(Want("plan", "yearly", interval="year")), plan="yearly")
    assert _amounts(standing)[:2] == [-1500, 29641]


def test_a_quota_is_weighed_by_the_days_of_the_period() -> None:
    used = Used(_at(3, 5), (_call("call", 1_000, _at(3, 5)),))
    by_the_second = Tariff(20_000, 7_500, 0, 1, 1)
    model = Model(SMALL_AND_LARGE, by_the_second)
    for fact in (Opened(_at(3, 1), "USD", "UTC", 1, "small"), used):
        model.apply(fact)
    standing = model.apply(_order(Want("plan", "large")))
    assert [lot.remaining for lot in standing.lots] == [3_600]


def test_a_member_who_leaves_makes_room_and_one_who_comes_before_costs_a_unit() -> None:
    model, standing = _march(*(Joined(_at(3, 2), name, ("crm",)) for name in "abc"))
    charged = []
    for fact in (
        Left(_at(3, 17), "a", ("crm",)),
        Joined(_at(3, 17), "d", ("crm",)),
        Joined(_at(3, 17), "e", ("crm",)),
        Left(_at(3, 17), "b", ("crm",)),
        Joined(_at(3, 17), "f", ("crm",)),
    ):
        standing = model.apply(fact)
        charged.append(_amounts(standing))
    assert charged == [[], [], [1210], [], []]
    assert [(one.quantity, one.created) for one in standing.units] == [(4, 4)]


def test_fewer_units_and_a_cheaper_plan_wait_for_the_end_of_the_term() -> None:
    model, _ = _march(_order(Want("plan", "large"), Want("units", "dialler", 2)))
    waiting = model.apply(_order(Want("plan", "small"), Want("units", "dialler", 1), day=18))
    assert (waiting.plan_id, waiting.invoices) == ("large", ())
    assert Units("dialler", 2, 2) in waiting.units
    model.apply(Turned(_at(4, 1, 0)))
    begun = model.apply(Billed(_at(4, 1, 0), _at(4, 1, 0)))
    assert _amounts(begun) == [3100, 5000, 4000]
    assert begun.plan_id == "small"
    assert begun.open_invoices[-1] == (3, 12100 * CENT)


def test_an_invoice_is_open_until_it_is_paid() -> None:
    model = Model(CATALOG, MINUTES)
    model.apply(Opened(_at(3, 1), "USD", "UTC", 1, "plain"))
    model.apply(Funded(_at(3, 2), "p", 20 * MAJOR))
    charged = model.apply(Charged(_at(3, 2), "work", 10 * MAJOR, "ny", is_at_once=True))
    assert charged.open_invoices == ((1, 1089 * CENT),)
    paid = model.apply(InvoicePaid(_at(3, 3), 1))
    assert (paid.open_invoices, paid.wallet_micros) == ((), 911 * CENT)


def test_what_rolls_over_is_carried_once_and_the_rest_stays_for_late_usage() -> None:
    model = Model(CATALOG, MINUTES)
    model.apply(Opened(_at(3, 1), "USD", "UTC", 1, "rolling"))
    standing = model.apply(Turned(_at(4, 1, 0)))
    voice = [lot.remaining for lot in standing.lots if lot.unit == "voice"]
    assert voice == [1_200, 600, 1_800]
    model.apply(Used(_at(4, 2), (_call("late", 60, _at(3, 31)),)))
    standing = model.apply(Used(_at(4, 5), (_call("new", 60, _at(4, 5)),)))
    assert [lot.remaining for lot in standing.lots if lot.unit == "voice"] == [540, 1_800]


def test_the_narrower_scope_burns_first_and_what_is_unlimited_never_runs_out() -> None:
    def left_of(plan: str, *called: str) -> list[tuple[str, int]]:
        model = Model(CATALOG, MINUTES)
        standing = model.apply(Opened(_at(3, 1), "USD", "UTC", 1, plan))
        for number in called:
            call = _call(f"to {number}", 540, _at(3, 2), number)
            standing = model.apply(Used(_at(3, 2), (call,)))
        assert standing.wallet_micros == 0
        return [(lot.name, lot.remaining) for lot in standing.lots if lot.unit == "voice"]

    assert left_of("office", "+445550100", "+15550100") == [("abroad", 60), ("voice", 2_460)]
    assert left_of("office", "+445550100", "+495550100") == [("voice", 2_520)]
    assert left_of("team", "+15550100", "+445550100") == [("home", 0), ("voice", 5_460)]


def test_a_correction_gives_back_to_the_very_lots_and_charges_again() -> None:
    model = Model(CATALOG, MINUTES)
    model.apply(Opened(_at(3, 1), "USD", "UTC", 1, "plain"))
    long = model.apply(Used(_at(3, 2), (_call("call", 1_860, _at(3, 2)),)))
    assert long.wallet_micros == -60 * 20_000
    short = model.apply(Corrected(_at(3, 3), "call", 61))
    assert (short.wallet_micros, short.lots[0].remaining) == (0, 1_680)


def test_a_short_month_ends_on_its_last_day_and_midnight_is_local() -> None:
    calendar = Calendar("America/New_York", 31)
    february = calendar.period_of_day(date(2028, 2, 29))
    assert calendar.first_day(february) == date(2028, 2, 29)
    assert calendar.first_day(february + 1) == date(2028, 3, 31)
    assert calendar.starts_at(february) == datetime(2028, 2, 29, 5, tzinfo=UTC)
    assert calendar.starts_at(february + 1) == datetime(2028, 3, 31, 4, tzinfo=UTC)


@pytest.mark.parametrize(("stored", "due"), [(1_750, 0), (1_751, 1), (2_774, 1), (2_775, 2)])
def test_storage_falls_due_by_the_started_gigabyte(stored: int, due: int) -> None:
    assert gigabytes_above({}, stored * MEGABYTE, 35) == due


def test_storage_that_was_paid_for_lapses_when_a_whole_period_did_without() -> None:
    storage = Storage()
    none, two = 250 * MEGABYTE, 2_298 * MEGABYTE
    assert [storage.gauge({}, used, 5) for used in (two, none, two)] == [2, 0, 0]
    storage.gauge({}, none, 5)
    storage.turn()
    assert storage.gauge({}, none, 5) == 0
    storage.turn()
    assert storage.gauge({}, two, 5) == 2
