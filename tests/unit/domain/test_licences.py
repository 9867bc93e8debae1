"""Who has a licence by name, and what that entitles to (docs/licences.md)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from billing.domain.catalog import Plan
from billing.domain.errors import (
    InsufficientPortsError,
    InvalidInputError,
    LicenceRequiredError,
    NoLicenceAvailableError,
)
from billing.domain.licences import (
    Assignment,
    Entitlement,
    assign,
    counted,
    given_on_joining,
    held,
    left_behind,
    quantity_of,
)
from billing.domain.selling import LicenceKind, UnitTerms
from billing.domain.subscription import UnitItem, first_subscription
from builders import ACME, NOON, an_account
from unit.licence_world import CRM, DIALLER, FLEX, SEAT

HOUR = timedelta(hours=1)


def given(*members: str, kind: str = "seat") -> tuple[Assignment, ...]:
    return tuple(Assignment(ACME, kind, member, NOON) for member in members)


def test_a_named_kind_has_as_many_assignments_as_there_are() -> None:
    made = assign(SEAT, 2, given("m1"), ACME, "m2", NOON)
    assert made == Assignment(ACME, "seat", "m2", NOON)
    with pytest.raises(NoLicenceAvailableError) as refused:
        assign(SEAT, 2, given("m1", "m3"), ACME, "m2", NOON)
    assert refused.value.members == {"licence": "seat", "quantity": 2, "assigned": 2}


def test_who_has_one_needs_no_second() -> None:
    assert assign(SEAT, 1, given("m1"), ACME, "m1", NOON) is None
    assert assign(SEAT, 0, given("m1"), ACME, "m1", NOON) is None


def test_one_that_was_taken_away_is_free_for_anybody() -> None:
    gone = given("m1")[0].removed(NOON + HOUR)
    assert held([gone], "seat") == 0
    assert assign(SEAT, 1, [gone], ACME, "m2", NOON) is not None
    again = assign(SEAT, 1, [gone], ACME, "m1", NOON + 2 * HOUR)
    assert again == Assignment(ACME, "seat", "m1", NOON + 2 * HOUR)


def test_other_kinds_do_not_count() -> None:
    assert assign(SEAT, 1, given("m1", "m2", kind="crm"), ACME, "m1", NOON) is not None


def test_a_pool_is_assigned_to_any_number() -> None:
    assert assign(FLEX, 1, given("m1", "m2", kind="flex"), ACME, "m3", NOON) is not None


def test_what_the_plan_includes_is_there_before_anything_is_bought() -> None:
    subscription = first_subscription(an_account())
    plan = Plan("starter", "Starter", units=(UnitTerms("seat", included=3),))
    assert quantity_of(subscription, plan, "seat") == 3
    more = subscription.with_unit(UnitItem("seat", quantity=5))
    assert quantity_of(more, plan, "seat") == quantity_of(more, None, "seat") == 5
    assert quantity_of(more, plan, "crm") == 0


def test_units_that_are_counted_by_members_follow_who_has_one() -> None:
    subscription = first_subscription(an_account()).with_unit(UnitItem("crm", 4, 2))
    after = counted(subscription, CRM, 1)
    assert after.unit("crm") == UnitItem("crm", 4, 3)
    assert after.revision == subscription.revision + 1
    assert counted(subscription, CRM, -1).unit("crm") == UnitItem("crm", 4, 1)
    assert counted(subscription, SEAT, 1) is subscription


KINDS = {kind.kind: kind for kind in (SEAT, CRM, DIALLER, FLEX)}


def test_who_joins_gets_one_of_each_kind_that_is_everybodys() -> None:
    units = tuple(UnitTerms(kind) for kind in ("seat", "crm", "dialler", "fax"))
    assert given_on_joining(Plan("starter", "Starter", units=units), KINDS) == (CRM,)


def test_who_goes_leaves_all_of_his_licences_to_others() -> None:
    subscription = first_subscription(an_account()).with_unit(UnitItem("crm", 4, 2))
    his = (*given("m1"), *given("m1", kind="crm"), given("m1", kind="flex")[0].removed(NOON))
    others = given("m2", kind="crm")
    after, removed = left_behind(subscription, KINDS, (*his, *others), "m1", NOON + HOUR)
    assert removed == tuple(one.removed(NOON + HOUR) for one in his[:2])
    assert after.unit("crm") == UnitItem("crm", 4, 1)
    assert left_behind(after, KINDS, removed, "m1", NOON + HOUR) == (after, ())


@pytest.mark.parametrize(
    ("kind", "is_assigned", "allows"),
    [
        pytest.param(SEAT, True, True, id="a seat of his own"),
        pytest.param(SEAT, False, False, id="no seat"),
        pytest.param(DIALLER, False, True, id="an open pool"),
        pytest.param(FLEX, False, False, id="a pool that he was not let into"),
        pytest.param(FLEX, True, True, id="a pool that he was let into"),
    ],
)
def test_who_may_use_a_licence(kind: LicenceKind, is_assigned: bool, allows: bool) -> None:
    entitlement = Entitlement(kind, 1, "m1", is_assigned=is_assigned)
    assert entitlement.allows is allows
    assert not replace(entitlement, is_active=False).allows


def test_a_refusal_says_which_licence_to_assign_to_whom() -> None:
    with pytest.raises(LicenceRequiredError) as seat:
        Entitlement(SEAT, 1, "m1").require()
    assert seat.value.members == {"licence": "seat", "member": "m1"}
    with pytest.raises(InsufficientPortsError) as port:
        Entitlement(FLEX, 1, "m1").require()
    assert port.value.members == {"licence": "flex", "member": "m1", "cause": "not_assigned"}


def test_assigning_one_does_not_help_who_is_deactivated() -> None:
    with pytest.raises(LicenceRequiredError) as refused:
        Entitlement(SEAT, 1, "m1", is_active=False, is_assigned=True).require()
    assert refused.value.members == {"licence": "seat"}


def test_what_is_for_members_asks_who_it_is() -> None:
    for kind in (SEAT, FLEX):
        with pytest.raises(InvalidInputError) as refused:
            Entitlement(kind, 1).require()
        assert refused.value.field == "member"
    Entitlement(DIALLER, 1).require()
