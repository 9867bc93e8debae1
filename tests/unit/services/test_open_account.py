"""An account is opened once, under the plan as the catalogue sells it now."""

from dataclasses import replace

import pytest

from billing.domain.account import Account, AccountRef, PlanTerms
from billing.domain.catalog import Plan
from billing.domain.catalog_rules import make_catalog
from billing.domain.errors import ConflictError, IdConflictError, InvalidInputError, NotFoundError
from billing.domain.grants import RecurringGrant
from billing.domain.records import TimerKind
from billing.domain.units import Unit
from billing.ports import AlreadyRecordedError
from billing.services.open_account import NewAccount, OpenAccount
from builders import ACME, NOON
from fakes.book import InMemoryBook
from fakes.stores import InMemoryCatalogs
from fakes.world import FixedClock

MINUTES = RecurringGrant("minutes", Unit.VOICE_SECONDS, 600)
WANTED = NewAccount(ACME, "Main", "USD", "UTC", 1, "starter", "standard")
SECOND_ACCOUNT = replace(WANTED, ref=AccountRef("acme", "support"), name="Support")


class Office:
    def __init__(self) -> None:
        self.book = InMemoryBook()
        self.catalogs = InMemoryCatalogs()
        self.service = OpenAccount(self.book, self.catalogs, FixedClock(NOON))
        self.sell(600)

    def sell(self, seconds: int) -> None:
        plan = Plan("starter", "Starter", (replace(MINUTES, quantity=seconds),))
        version = len(self.catalogs._versions)
        self.catalogs.save(make_catalog("2026-01", (plan,)), version)

    def open(
        self,
        wanted: NewAccount = WANTED,
        operation_id: str = "open",
        body_hash: str = "b",
        tenant: str | None = "Acme Inc.",
    ) -> Account:
        return self.service.open(wanted, operation_id, body_hash, tenant)


@pytest.fixture
def office() -> Office:
    return Office()


def test_a_tenant_is_opened_with_its_first_account(office: Office) -> None:
    account = office.open()
    assert office.book.account(ACME) == account
    assert (account.version, account.plan) == (1, PlanTerms("starter", 1, (MINUTES,)))
    assert office.book.tenant("acme").name == "Acme Inc."
    assert [listing.name for listing in office.book.accounts("acme", None, 9)] == ["Main"]
    (timer,) = office.book.due(TimerKind.PERIOD_END, account.period.end_at)
    assert (timer.account, timer.due_at) == (ACME, account.period.end_at)


def test_a_further_account_is_opened_under_the_same_tenant(office: Office) -> None:
    office.open()
    office.open(SECOND_ACCOUNT, "open support", tenant=None)
    names = [listing.name for listing in office.book.accounts("acme", None, 9)]
    assert names == ["Main", "Support"]
    assert office.book.tenant("acme").name == "Acme Inc."


def test_an_account_keeps_the_plan_it_was_sold(office: Office) -> None:
    office.open()
    office.sell(9_000)
    later = office.open(SECOND_ACCOUNT, "open support", tenant=None)
    assert office.book.account(ACME).plan.recurring_grants[0].quantity == 600
    assert later.plan.recurring_grants[0].quantity == 9_000
    assert (office.book.account(ACME).plan.catalog_version, later.plan.catalog_version) == (1, 2)


def test_a_replayed_request_is_answered_even_where_the_plan_is_no_longer_sold(
    office: Office,
) -> None:
    account = office.open()
    office.catalogs.save(make_catalog("2026-02", (Plan("gold", "Gold"),)), 1)
    with pytest.raises(AlreadyRecordedError) as answered:
        office.open()
    assert answered.value.operation.operation_id == "open"
    assert office.book.account(ACME) == account


def test_the_same_key_for_another_account_is_a_conflict(office: Office) -> None:
    office.open()
    with pytest.raises(IdConflictError):
        office.open(body_hash="c")


def test_a_tenant_that_exists_is_not_opened_again(office: Office) -> None:
    office.open()
    with pytest.raises(ConflictError):
        office.open(SECOND_ACCOUNT, "open support", tenant="Acme again")
    assert office.book.tenant("acme").name == "Acme Inc."
    assert [listing.name for listing in office.book.accounts("acme", None, 9)] == ["Main"]


def test_an_account_that_exists_is_not_opened_again(office: Office) -> None:
    account = office.open()
    with pytest.raises(ConflictError):
        office.open(operation_id="open again", tenant=None)
    assert office.book.account(ACME) == account


@pytest.mark.parametrize(
    ("altered", "error"),
    [
        pytest.param({"plan_id": "gold"}, NotFoundError, id="a plan nobody sells"),
        pytest.param({"currency": "XXQ"}, InvalidInputError, id="a currency that is none"),
        pytest.param({"billing_day": 0}, InvalidInputError, id="a billing day that is none"),
    ],
)
def test_what_cannot_be_opened_leaves_nothing(
    office: Office, altered: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        office.open(replace(WANTED, **altered))  # type: ignore[arg-type]
    assert office.book.account_refs() == []
    assert office.book.tenants(None, 9) == []


def test_without_a_catalogue_nothing_is_sold(office: Office) -> None:
    bare = OpenAccount(office.book, InMemoryCatalogs(), FixedClock(NOON))
    with pytest.raises(NotFoundError):
        bare.open(WANTED, "open", "b", "Acme Inc.")
    assert office.book.account_refs() == []
