"""A contract counts from the next term on, or at once where the operator says so."""

from datetime import UTC, date, datetime, timedelta

import pytest

from billing.domain.audit import By
from billing.domain.contracting import contract_etag
from billing.domain.documents import LineKind
from billing.domain.errors import InvalidInputError
from billing.domain.subscription import Contract, UnitCommitment
from billing.services.set_contract import SetContract, StaleContractError
from builders import ACME
from unit.billing_world import BillingWorld

TERM = (date(2026, 3, 1), date(2027, 3, 1))
OPERATOR = By("operator", None)


class Contracts(BillingWorld):
    """On the 16th of March, with the month paid: 16 of its 31 days are left."""

    def __init__(self, *, is_billed: bool = True) -> None:
        super().__init__()
        self.open_on()
        self.add_source()
        if is_billed:
            self.work()
            self.clock.advance(timedelta(days=15))
        self.contracts = SetContract(
            book=self.book,
            catalogs=self.catalogs,
            clock=self.clock,
            change_account=self.change_account,
            bill_account=self.billing,
        )

    def agree(self, *minimums: tuple[str, int], is_at_once: bool = False, **kept: object) -> None:
        contract = Contract(*TERM, minimums, **kept)  # type: ignore[arg-type]
        self.contracts.set(
            ACME,
            contract,
            seen_etag=contract_etag(self.subscription.contract),
            by=OPERATOR,
            is_at_once=is_at_once,
        )

    def billed_seats(self) -> int:
        (line,) = [one for one in self.invoiced[-1].lines if one.what == "crm"]
        return line.quantity


def test_a_higher_minimum_counts_from_the_next_term_on() -> None:
    world = Contracts()
    world.agree(("crm", 10))
    assert world.numbers.invoices == 1
    assert world.subscription.unit("crm").quantity == 3
    world.pass_days(16)
    # One seat is included.
    assert world.billed_seats() == 9
    assert world.subscription.unit("crm").quantity == 10


def test_a_higher_minimum_may_count_at_once_for_the_days_left() -> None:
    world = Contracts()
    world.agree(("crm", 10), is_at_once=True)
    invoice = world.invoiced[-1]
    (line,) = invoice.lines
    assert (line.kind, line.what, line.quantity) == (LineKind.UNITS, "crm", 7)
    # 16 of 31 days of $25, for each of seven seats.
    assert line.amount_micros == 7 * 12_900_000
    assert (line.starts_on, line.ends_on) == (date(2026, 3, 16), date(2026, 4, 1))
    assert world.subscription.unit("crm").quantity == 10
    world.sweep()
    assert world.invoiced[-1].paid_at == world.clock.now()
    world.pass_days(16)
    assert world.billed_seats() == 9


def test_what_is_there_already_is_not_charged_again() -> None:
    world = Contracts()
    world.agree(("crm", 3), is_at_once=True)
    world.agree(("crm", 2), ("qa", 0), is_at_once=True)
    assert world.numbers.invoices == 1


def test_a_lower_minimum_than_the_catalogues_counts_too() -> None:
    world = Contracts()
    world.agree(("crm", 1))
    assert world.subscription.unit("crm").quantity == 3
    world.pass_days(16)
    assert [one.what for one in world.invoiced[-1].lines] == ["growth"]


def test_a_contract_that_has_ended_leaves_the_catalogues_minimum() -> None:
    world = Contracts()
    world.agree(("crm", 10))
    world.pass_days(16)
    world.contracts.set(
        ACME,
        Contract(date(2026, 3, 1), date(2026, 4, 10), (("crm", 10),)),
        seen_etag=contract_etag(world.subscription.contract),
        by=OPERATOR,
        is_at_once=False,
    )
    world.pass_days(31)
    assert world.billed_seats() == 2


def test_a_contract_that_holds_units_keeps_them_till_it_ends() -> None:
    world = Contracts()
    world.agree(("crm", 10), is_at_once=True, unit_commitment=UnitCommitment.CONTRACT)
    world.agree(("crm", 3), unit_commitment=UnitCommitment.CONTRACT)
    world.pass_days(16)
    assert world.billed_seats() == 9


def test_setting_a_contract_makes_quotes_stale_and_is_audited() -> None:
    world = Contracts()
    before = world.subscription.revision
    world.agree(("crm", 10))
    assert world.subscription.revision == before + 1
    (record,) = [one for one in world.book.audit_records(ACME) if one.action == "contract.set"]
    assert record.after["minimums"] == {"crm": 10}
    assert record.actor == "operator"


def test_what_a_contract_cannot_say_names_its_field() -> None:
    world = Contracts()
    with pytest.raises(InvalidInputError) as refused:
        world.agree(("flex", 1))
    assert refused.value.field == "minimums/flex"
    with pytest.raises(InvalidInputError):
        world.agree(("crm", 100_001))


def test_somebody_who_was_faster_is_not_overwritten() -> None:
    world = Contracts()
    world.book.races.append(lambda: world.agree(("crm", 4)))
    with pytest.raises(StaleContractError):
        world.agree(("crm", 10))
    assert world.subscription.contract is not None
    assert world.subscription.contract.minimums == (("crm", 4),)


def test_the_view_says_what_is_billed_at_least_today() -> None:
    world = Contracts()
    assert world.contracts.read(ACME).minimums == (("crm", 3), ("qa", 0), ("dialler", 0))
    world.agree(("qa", 2))
    view = world.contracts.read(ACME)
    assert view.minimums == (("crm", 3), ("qa", 2), ("dialler", 0))
    world.clock.advance(datetime(2027, 3, 1, tzinfo=UTC) - world.clock.now())
    assert dict(world.contracts.read(ACME).minimums)["qa"] == 0


def test_what_nobody_has_billed_yet_is_billed_before_more_is_added_to_it() -> None:
    world = Contracts()
    # The turn of April, and the worker that bills is late.
    world.clock.advance(timedelta(days=16, hours=3))
    world.agree(("crm", 10), is_at_once=True)
    world.work()
    seats = [
        (line.quantity, line.amount_micros)
        for invoice in world.invoiced[1:]
        for line in invoice.lines
        if line.what == "crm"
    ]
    # Two beyond the one that is included, and seven more: each of them once.
    assert seats == [(2, 50_000_000), (7, 175_000_000)]


def test_an_account_that_was_not_billed_as_it_was_opened_pays_once_for_its_minimum() -> None:
    world = Contracts(is_billed=False)
    world.agree(("crm", 10), is_at_once=True)
    world.work()
    lines = [line for invoice in world.invoiced for line in invoice.lines]
    assert sum(line.quantity for line in lines if line.what == "crm") == 9
