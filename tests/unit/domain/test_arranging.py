"""People decide who is asked first, who then, and who never again; and it is on record."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from billing.domain import arranging
from billing.domain.account import Account
from billing.domain.audit import By
from billing.domain.declines import DeclineGroup
from billing.domain.errors import (
    DefaultSourceError,
    InvalidInputError,
    SourceInUseError,
    SourceNotActiveError,
)
from billing.domain.payments import PaymentMethod
from billing.domain.recharging import (
    OpenRecharge,
    RechargeMode,
    RechargePolicy,
    Recharging,
    SuspendedReason,
)
from billing.domain.records import (
    Acceptance,
    AuditRecord,
    EventType,
    FundingSource,
    SourceState,
    TimerKind,
)
from builders import NOON, USD, a_source, an_account

BY = By("sub", Acceptance("Wile", "Coyote", "2026-01"))
TARGET = RechargePolicy(RechargeMode.TARGET, 10 * USD, target_micros=50 * USD)
CARDS = {name: a_source(source_id=name) for name in ("a", "b", "c")}


def account(*order: str, **altered: Any) -> Account:
    recharging = Recharging(
        default_source_id=order[0] if order else None, backup_source_ids=order[1:]
    )
    return replace(an_account().next_version(), recharging=replace(recharging, **altered))


ABC = account("a", "b", "c", policy=TARGET)


def test_the_old_default_becomes_the_first_backup() -> None:
    change = arranging.made_default(ABC, CARDS["c"], CARDS, BY, NOON)
    assert change is not None
    assert change.after.recharging.source_ids == ("c", "a", "b")
    (audit,) = (record for record in change.records if isinstance(record, AuditRecord))
    assert (audit.before["default"], audit.after["default"]) == ("a", "c")
    assert (audit.actor, audit.acceptance) == (BY.actor, BY.acceptance)


def test_the_default_made_default_changes_nothing() -> None:
    assert arranging.made_default(ABC, CARDS["a"], CARDS, BY, NOON) is None


@pytest.mark.parametrize(
    ("group", "is_blocked"),
    [
        (DeclineGroup.NEW_SOURCE, False),
        (DeclineGroup.CUSTOMER_ACTION, False),
        (DeclineGroup.NEVER, True),
    ],
)
@pytest.mark.parametrize("source_id", ["a", "b"])
def test_a_person_vouches_for_a_source_but_for_what_must_never_be_charged(
    source_id: str, group: DeclineGroup, is_blocked: bool
) -> None:
    blocked = replace(CARDS[source_id], blocked_code="code", blocked_group=group)
    suspended = account(
        "a",
        "b",
        policy=TARGET,
        suspended_at=NOON,
        suspended_reason=SuspendedReason.NEW_SOURCE_NEEDED,
    )
    change = arranging.made_default(suspended, blocked, CARDS, BY, NOON)
    assert change is not None
    (source,) = (record for record in change.records if isinstance(record, FundingSource))
    assert (source.blocked_code is not None) == is_blocked
    assert change.after.recharging.suspended_at is None
    assert TimerKind.RECHARGE in [timer.kind for timer in change.timers_set]


def test_a_mandate_made_default_is_asked_earlier_and_a_card_is_not() -> None:
    mandate = replace(CARDS["b"], method=PaymentMethod.UPI)
    change = arranging.made_default(ABC, mandate, CARDS, BY, NOON)
    assert change is not None
    assert change.after.recharging.notice_hours == 36
    back = arranging.made_default(change.after, CARDS["a"], CARDS, BY, NOON)
    assert back is not None
    assert back.after.recharging.notice_hours == 0


@pytest.mark.parametrize(
    "altered",
    [
        pytest.param({"state": SourceState.PENDING}, id="not saved yet"),
        pytest.param({"state": SourceState.REMOVED}, id="removed"),
        pytest.param({"expires_on": date(2026, 3, 13)}, id="expired"),
    ],
)
def test_what_cannot_be_charged_cannot_be_the_default(altered: dict[str, Any]) -> None:
    with pytest.raises(SourceNotActiveError):
        arranging.made_default(ABC, replace(CARDS["b"], **altered), CARDS, BY, NOON)


def test_the_backups_take_another_order() -> None:
    change = arranging.reordered(ABC, ["c", "b"], BY, NOON)
    assert change is not None
    assert change.after.recharging.source_ids == ("a", "c", "b")
    assert arranging.reordered(change.after, ["c", "b"], BY, NOON) is None


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        pytest.param(["b"], "missing: c", id="one is missing"),
        pytest.param(["b", "c", "a"], "not backups: a", id="the default is none of them"),
        pytest.param(["x", "b"], "missing: c; not backups: x", id="one for another"),
        pytest.param(["b", "c", "b"], "twice", id="one twice"),
    ],
)
def test_an_order_names_every_backup_once(wanted: list[str], said: str) -> None:
    with pytest.raises(InvalidInputError, match=said) as refused:
        arranging.reordered(ABC, wanted, BY, NOON)
    assert refused.value.field == "sources"


def test_a_removed_source_leaves_the_order_and_is_told() -> None:
    card = replace(CARDS["b"], expires_on=date(2026, 12, 31))
    change = arranging.removed(ABC, card, {**CARDS, "b": card}, BY, NOON)
    assert change is not None
    assert change.after.recharging.source_ids == ("a", "c")
    assert change.events[0].type is EventType.FUNDING_SOURCE_REMOVED
    assert change.timers_cleared == (TimerKind.SOURCE_NOTICE,)
    source, audit = change.records
    assert isinstance(source, FundingSource)
    assert isinstance(audit, AuditRecord)
    assert source.state is SourceState.REMOVED
    assert audit.before["source"] == "b"
    assert "tok_" not in f"{audit}{change.events}"
    assert arranging.removed(change.after, source, CARDS, BY, NOON) is None


def test_a_source_somebody_is_being_charged_from_stays() -> None:
    busy = replace(
        ABC, recharging=replace(ABC.recharging, opened=(OpenRecharge(1, USD, "b", NOON),))
    )
    with pytest.raises(SourceInUseError):
        arranging.removed(busy, CARDS["b"], CARDS, BY, NOON)
    assert arranging.removed(busy, CARDS["c"], CARDS, BY, NOON) is not None


@pytest.mark.parametrize(
    ("order", "policy", "is_removed"),
    [
        pytest.param("ab", RechargePolicy(), False, id="there is another one"),
        pytest.param("a", TARGET, False, id="automatic recharge needs it"),
        pytest.param("a", RechargePolicy(), True, id="the only one, and nothing needs it"),
    ],
)
def test_the_default_stays_until_another_is(
    order: str, policy: RechargePolicy, is_removed: bool
) -> None:
    before = account(*order, policy=policy, notice_hours=36)
    if not is_removed:
        with pytest.raises(DefaultSourceError):
            arranging.removed(before, CARDS["a"], CARDS, BY, NOON)
        return
    change = arranging.removed(before, CARDS["a"], CARDS, BY, NOON)
    assert change is not None
    after = change.after.recharging
    assert (after.source_ids, after.notice_hours) == ((), 0)


def test_only_a_removed_source_is_forgotten() -> None:
    assert arranging.forgotten(ABC, CARDS["a"], NOON) is None
    gone = replace(CARDS["a"], state=SourceState.REMOVED)
    change = arranging.forgotten(ABC, gone, NOON)
    assert change is not None
    (source,) = change.records
    assert isinstance(source, FundingSource)
    assert source.token == ""
    assert arranging.forgotten(change.after, source, NOON) is None
