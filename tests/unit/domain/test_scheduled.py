"""What waits for the term's end is listed, and can be taken back one by one."""

from dataclasses import replace

import pytest

from billing.domain.account import Account
from billing.domain.audit import By
from billing.domain.catalog_versions import Versions
from billing.domain.errors import ConflictError, NotFoundError
from billing.domain.holdings import held_terms
from billing.domain.orders import WantKind
from billing.domain.records import AuditRecord
from billing.domain.renewing import with_next_plan
from billing.domain.scheduled import scheduled_changes, take_back, without
from billing.domain.selling import Interval
from billing.domain.subscription import NextPlan, Subscription, UnitItem, first_subscription
from billing.ports import StoredCatalog
from builders import NOON, an_account
from catalogs import a_catalog

SOLD = StoredCatalog(1, a_catalog())
VERSIONS = Versions(SOLD, SOLD, SOLD)
BY = By("sub", None)


def holding(**changes: object) -> tuple[Account, Subscription]:
    """An account on plan growth, with what is scheduled."""
    account = replace(an_account(), plan=held_terms(SOLD, "growth", ()))
    subscription = replace(first_subscription(account), **changes)  # type: ignore[arg-type]
    return with_next_plan(account, subscription, VERSIONS), subscription


LESS_UNITS = (UnitItem("dialler", 5, 5, 3), UnitItem("qa", 2, 2))
LESS_PACKAGES = (UnitItem("toll-free-500", 2, 2, 0),)
STARTER = NextPlan("starter", 1, Interval.YEAR, NOON)


def test_everything_that_waits_is_listed_by_a_name_of_its_own() -> None:
    _, subscription = holding(units=LESS_UNITS, packages=LESS_PACKAGES, next_plan=STARTER)
    changes = scheduled_changes(subscription)
    shown = [(one.change_id, one.kind, one.what, one.quantity, one.interval) for one in changes]
    assert shown == [
        ("plan", WantKind.PLAN, "starter", 1, Interval.YEAR),
        ("units-dialler", WantKind.UNITS, "dialler", 3, None),
        ("package-toll-free-500", WantKind.PACKAGE, "toll-free-500", 0, None),
    ]
    assert {one.at for one in changes} == {subscription.term.end_at}


def test_nothing_waits_where_nothing_was_asked_for() -> None:
    _, subscription = holding()
    assert scheduled_changes(subscription) == ()
    with pytest.raises(NotFoundError):
        without(subscription, "plan")


@pytest.mark.parametrize("name", ["plan", "units-dialler", "package-toll-free-500"])
def test_one_is_taken_back_and_the_others_stay(name: str) -> None:
    _, subscription = holding(units=LESS_UNITS, packages=LESS_PACKAGES, next_plan=STARTER)
    kept, change = without(subscription, name)
    assert change.change_id == name
    left = {one.change_id for one in scheduled_changes(kept)}
    assert left == {"plan", "units-dialler", "package-toll-free-500"} - {name}
    assert kept.revision == subscription.revision + 1
    with pytest.raises(NotFoundError):
        without(kept, name)


def test_what_the_account_holds_next_follows_from_what_is_left() -> None:
    account, subscription = holding(next_plan=STARTER)
    assert account.next_plan is not None
    kept, change = without(subscription, "plan")
    taken = take_back(account, kept, change, VERSIONS, BY, NOON)
    assert taken.after.next_plan is None
    assert kept in taken.records
    (audit,) = (record for record in taken.records if isinstance(record, AuditRecord))
    assert (audit.action, audit.before["what"]) == ("scheduled_change.cancelled", "starter")
    assert [event.type.value for event in taken.events] == ["subscription.changed"]
    assert taken.entries == ()


def test_what_the_scheduled_plan_does_not_have_needs_that_taken_back_first() -> None:
    account, subscription = holding(units=LESS_UNITS[:1], next_plan=STARTER)
    kept, change = without(subscription, "units-dialler")
    with pytest.raises(ConflictError, match="Starter"):
        take_back(account, kept, change, VERSIONS, BY, NOON)
    fewer, plan = without(subscription, "plan")
    take_back(account, fewer, plan, VERSIONS, BY, NOON)
