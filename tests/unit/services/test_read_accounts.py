"""How all accounts of a tenant stand: read together, and summed up by currency."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta

import pytest

from billing.domain.account import Account, AccountRef, Standing
from billing.domain.covering import Cover, Destination
from billing.domain.errors import NotFoundError
from billing.domain.recharge_status import RechargeStanding
from billing.domain.reservations import Holds, Reservation
from billing.domain.units import Direction, Unit
from billing.services import read_accounts
from billing.services.read_accounts import ReadAccounts, Total
from builders import NOON, USD, a_credit, a_tenant, an_account, an_opening
from fakes.book import InMemoryBook
from fakes.reservations import InMemoryReservations
from fakes.world import FixedClock


class CountingBook(InMemoryBook):
    """Counts how it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[str] = []

    def account(self, ref: AccountRef) -> Account:
        self.reads.append("account")
        return super().account(ref)

    def states(self, refs: Iterable[AccountRef]) -> dict[AccountRef, Account]:
        self.reads.append("states")
        return super().states(refs)


class World:
    def __init__(self) -> None:
        self.book = CountingBook()
        self.reservations = InMemoryReservations()
        self.read = ReadAccounts(self.book, self.book, self.reservations, FixedClock(NOON)).read
        self._tenants: set[str] = set()

    def open(self, name: str, micros: int = 0, *, tenant: str = "acme", **with_: object) -> None:
        ref = AccountRef(tenant, name)
        new = None if tenant in self._tenants else a_tenant(tenant)
        self._tenants.add(tenant)
        account = replace(an_account(ref), **with_)  # type: ignore[arg-type]
        self.book.commit(an_opening(account, new))
        if micros:
            self.book.commit(a_credit(self.book.account(ref), micros, "credit"))

    def reserve(self, name: str, micros: int) -> None:
        reservation = Reservation(
            reservation_id=f"res_{name}",
            call_id=name,
            destination=Destination(Unit.VOICE_SECONDS, Direction.OUTBOUND, "+14155550100"),
            cover=Cover(60, micros),
            reserved_at=NOON,
            expires_at=NOON + timedelta(minutes=5),
        )
        holds = Holds(AccountRef("acme", name), 1, (reservation,))
        self.reservations.save(holds, 0)


def test_each_account_is_told_in_short() -> None:
    world = World()
    spend = ((date(2026, 3, 13), 30 * USD),)
    world.open("main", 50 * USD, daily_spend=spend)
    world.open("sleeping", standing=Standing.PAST_DUE)
    world.reserve("main", 7 * USD)
    main, sleeping = world.read("acme", None, 10, with_totals=False).standings
    assert (main.account.wallet_micros, main.reserved_micros) == (50 * USD, 7 * USD)
    assert main.runway_days is not None
    assert (sleeping.runway_days, sleeping.reserved_micros) == (None, 0)
    assert sleeping.account.standing is Standing.PAST_DUE
    assert sleeping.recharge.standing is RechargeStanding.OFF


def test_totals_are_by_currency_of_all_accounts_on_the_first_page_alone() -> None:
    world = World()
    for number in range(5):
        world.open(f"usd-{number}", number * USD)
    world.open("eur", 3 * USD, currency="EUR")
    world.open("main", 99 * USD, tenant="globex")
    world.reserve("usd-4", USD)
    first = world.read("acme", None, 2, with_totals=True)
    assert first.totals == (Total("EUR", 1, 3 * USD, 0), Total("USD", 5, 10 * USD, USD))
    assert [one.listing.account.account_id for one in first.standings] == ["eur", "usd-0", "usd-1"]
    second = world.read("acme", "usd-0", 2, with_totals=True)
    assert second.totals is None
    assert len(second.standings) == 3
    assert world.read("acme", None, 2, with_totals=False).totals is None


def test_many_accounts_are_read_together() -> None:
    world = World()
    for number in range(30):
        world.open(f"a{number}", number)
    world.book.reads.clear()
    assert len(world.read("acme", None, 25, with_totals=True).standings) == 26
    assert world.book.reads == ["states"]


def test_a_total_that_would_take_too_long_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_accounts, "MAX_TOTALLED", 3)
    world = World()
    for number in range(3):
        world.open(f"a{number}", USD)
    assert world.read("acme", None, 2, with_totals=True).totals == (Total("USD", 3, 3 * USD, 0),)
    world.open("a3")
    page = world.read("acme", None, 2, with_totals=True)
    assert (len(page.standings), page.totals) == (3, None)


def test_a_tenant_that_is_not_there_has_no_accounts() -> None:
    with pytest.raises(NotFoundError):
        World().read("nowhere", None, 10, with_totals=True)
