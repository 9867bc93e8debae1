"""A new member may bring a unit with him: prorated, and invoiced in the Change that adds him."""

from collections.abc import Sequence

import pytest

from billing.domain.audit import By
from billing.domain.catalog import Plan
from billing.domain.documents import Invoice, InvoiceState
from billing.domain.licences import Assignment, held
from billing.domain.members import Amendment, MemberRole, MemberState
from billing.domain.selling import LicenceKind, OnInvite, Price, RecurringPrice, UnitTerms
from billing.domain.subscription import Subscription, UnitItem
from billing.services.bill_account import BillAccount
from billing.services.change_members import ChangeMembers, NewMember
from builders import ACME, USD
from catalogs import a_catalog
from unit.world import World

BY = By("auth0|zoe", None)
CRM = LicenceKind("crm", "CRM seat", on_invite=OnInvite.ADD_UNIT)
SEAT = LicenceKind("seat", "Seat", on_invite=OnInvite.LOCK_OUT)
PRICE = RecurringPrice(Price((("USD", 31 * USD),)))


class Office(World):
    """CRM seats cost $31 a month, which has 31 days; so many are included in the plan."""

    def __init__(self, included: int = 1, kinds: Sequence[LicenceKind] = (CRM, SEAT)) -> None:
        super().__init__()
        plan = Plan(
            "starter",
            "Starter",
            units=tuple(UnitTerms(kind.kind, included, price=PRICE) for kind in kinds),
        )
        self.catalogs.save(a_catalog(plans=(plan,), licences=tuple(kinds)), 0)
        self.open()
        self.biller = BillAccount(
            book=self.book,
            catalogs=self.catalogs,
            clock=self.clock,
            change_account=self.change_account,
        )
        self.biller.bill(ACME)
        self.members = ChangeMembers(
            members=self.book.members,
            book=self.book,
            catalogs=self.catalogs,
            change_account=self.change_account,
        )

    def invite(self, name: str) -> None:
        wanted = NewMember(
            account=ACME,
            member_id=f"mem_{name}",
            email=f"{name}@example.com",
            first_name=name,
            last_name="Lee",
            role=MemberRole.MEMBER,
            state=MemberState.INVITED,
        )
        self.members.enrol(wanted, operation_id=f"invite {name}", body_hash=name, by=BY)

    @property
    def crm(self) -> UnitItem:
        subscription = self.book.thing(ACME, Subscription)
        assert subscription is not None
        return subscription.unit("crm")

    @property
    def assigned(self) -> int:
        return held(self.book.things(ACME, Assignment), "crm")

    @property
    def invoices(self) -> list[Invoice]:
        return self.book.things(ACME, Invoice)


@pytest.fixture
def office() -> Office:
    return Office()


def test_a_member_takes_an_included_unit_for_nothing(office: Office) -> None:
    office.invite("ann")
    assert (office.crm.created, office.assigned) == (1, 1)
    assert office.invoices == []


def test_one_more_is_charged_from_today_in_the_change_that_adds_him(office: Office) -> None:
    office.invite("ann")
    before = len(office.book.committed)
    office.clock.advance(office.account.period.end_at - office.clock.now())
    office.biller.bill(ACME)
    office.invite("ben")
    change = office.book.committed[-1]
    assert len(office.book.committed) > before
    (invoice,) = [one for one in change.records if isinstance(one, Invoice)]
    assert invoice.sums.subtotal_micros == 31 * USD
    assert change.members is not None
    assert invoice.state is InvoiceState.OPEN
    assert "invoice.issued" in office.told
    assert "subscription.changed" in office.told


def test_the_days_that_are_over_are_not_charged(office: Office) -> None:
    office.invite("ann")
    half_way = office.clock.now().replace(day=21)
    office.clock.advance(half_way - office.clock.now())
    office.invite("ben")
    (invoice,) = office.invoices
    assert invoice.sums.subtotal_micros == 11 * USD, "21 to 31 March are 11 days"


def test_deleting_one_and_adding_another_is_free(office: Office) -> None:
    office.invite("ann")
    office.invite("ben")
    paid = len(office.invoices)
    office.members.deactivate("acme", "mem_ben", BY)
    assert (office.crm.created, office.assigned) == (1, 1)
    office.invite("cem")
    assert len(office.invoices) == paid
    assert (office.crm.created, office.assigned) == (2, 2)


def test_adding_one_and_deleting_another_is_charged(office: Office) -> None:
    office.invite("ann")
    office.invite("ben")
    office.members.deactivate("acme", "mem_ann", BY)
    assert len(office.invoices) == 1
    assert office.crm.quantity == 2, "what was paid for stays for the term"


def test_somebody_who_comes_back_is_one_who_joins(office: Office) -> None:
    office.invite("ann")
    office.members.deactivate("acme", "mem_ann", BY)
    member = office.book.members.member("acme", "mem_ann")
    office.members.amend(
        "acme",
        "mem_ann",
        Amendment(state=MemberState.ACTIVE),
        seen_revision=member.revision,
        by=BY,
    )
    assert (office.crm.created, office.assigned) == (1, 1)


def test_changing_a_name_changes_no_unit(office: Office) -> None:
    office.invite("ann")
    member = office.book.members.member("acme", "mem_ann")
    office.members.amend(
        "acme", "mem_ann", Amendment(first_name="Anna"), seen_revision=member.revision, by=BY
    )
    assert (office.crm.created, office.assigned) == (1, 1)


def test_a_kind_that_locks_out_is_not_added() -> None:
    office = Office(kinds=(SEAT,))
    office.invite("ann")
    assert office.book.things(ACME, Assignment) == []
    assert office.invoices == []
