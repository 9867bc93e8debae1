"""What is personal is gone from every item afterwards; what is billed is proven as before."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from billing.adapters.dynamodb.packing import unpack
from billing.adapters.dynamodb.quarantine import DynamoDBQuarantine
from billing.adapters.dynamodb.table import Table
from billing.domain.account import AccountRef
from billing.domain.canonical import Json
from billing.domain.correcting import Correction, correct_usage
from billing.domain.erasing import ACCEPTANCES_KEPT, CALLS_KEPT, CORRECTED
from billing.domain.errors import ConflictError, InvalidInputError, TalktimeError
from billing.domain.ledger import prove
from billing.domain.members import MemberCounts, MemberState, member_json
from billing.domain.posting import RatedUsage
from billing.domain.quarantine import ParkedState
from billing.domain.rating import rate_usage
from billing.domain.records import Acceptance, AuditRecord, Origin
from billing.domain.usage import CorrectionSource
from billing.ports import CallsRecordedError, Parked
from builders import (
    ACME,
    NOON,
    USD,
    a_credit,
    a_deck,
    a_posting,
    a_tenant,
    a_touch,
    a_usage_event,
    an_account,
    an_opening,
    an_operation,
)
from contract.beds import Bed, in_moto
from fakes.world import FixedClock
from memberships import a_member, a_membership
from scripts import erase

LATER = NOON + timedelta(days=500)
DAY = f"{NOON + timedelta(days=1):%Y-%m-%d}"
CALLER, CALLED = "+15550001111", "+15550002222"
PARKED_CALLER = "+15550003333"
NUMBERS = (CALLER, CALLED, PARKED_CALLER)
ZOE = a_member("zoe", state=MemberState.ACTIVE, last_name="Canary")
PERSONAL = ("zoe@example.com", "Canary", "auth0|zoe")
AGREED = ("Zoë", "Agreed", "192.0.2.44", "Browser/1.0")


@pytest.fixture
def bed() -> Iterator[Bed]:
    """A call, its correction, one that was parked, and a member who came, agreed and left."""
    with in_moto() as bed:
        account = bed.commit(an_opening(an_account(ACME), a_tenant()))
        account = bed.commit(a_credit(account, 20 * USD, "recharge"))
        numbers: dict[str, Any] = {"from_number": CALLER, "to_number": CALLED}
        call = a_usage_event(1, **numbers)
        posting = a_posting(account, [call, a_usage_event(2, **numbers)])
        account = bed.commit(posting)
        shorter = replace(call, quantity=30)
        rated = rate_usage(a_deck(), call.unit, call.direction, CALLED, 30)
        correction = Correction(posting.calls[0], RatedUsage(shorter, rated))
        audit = an_audit("fix", CORRECTED, {"to": CALLED, "quantity": 30})
        account = bed.commit(
            correct_usage(
                account,
                [correction],
                CorrectionSource.OPERATOR,
                an_operation(ACME, "fix"),
                NOON,
                (audit,),
            )
        )
        joined = a_membership(account, MemberCounts("acme"), ZOE)
        answer = member_json(ZOE)
        account = bed.commit(
            replace(
                joined,
                operation=an_operation(ACME, "join", answer=answer),
                records=(an_audit("join", "member.created", answer),),
            )
        )
        left = replace(ZOE, state=MemberState.DEACTIVATED, revision=2)
        account = bed.commit(
            replace(
                a_membership(account, bed.members.counts("acme"), left, ZOE),
                records=(an_audit("mem_zoe/2", "member.deactivated", member_json(left), answer),),
            )
        )
        bed.commit(a_touch(account, "recent", LATER))
        quarantine = DynamoDBQuarantine(Table(bed.table_name))
        for number, state in enumerate((ParkedState.DISMISSED, ParkedState.PARKED)):
            quarantine.park(a_parked(number, state))
        yield bed


def an_audit(
    operation_id: str, action: str, after: dict[str, Json], before: dict[str, Json] | None = None
) -> AuditRecord:
    return AuditRecord(
        account=ACME,
        operation_id=operation_id,
        actor="auth0|zoe" if operation_id == "fix" else "auth0|ann",
        action=action,
        acceptance=Acceptance(AGREED[0], AGREED[1], "2026-01"),
        before=before or {},
        after=after,
        at=NOON,
        origin=Origin(AGREED[2], AGREED[3]),
    )


def a_parked(number: int, state: ParkedState) -> Parked:
    event = a_usage_event(10 + number, from_number=PARKED_CALLER).to_json()
    return Parked(
        parked_id=f"{number}" * 32,
        reason="destination_not_rated",
        detail=f"no price for a call of {PARKED_CALLER}",
        connection_id="acme-twilio",
        account=ACME,
        event=event,
        parked_at=NOON,
        state=state,
    )


def run(bed: Bed, *command: str, now: datetime = LATER) -> int:
    common = [bed.table_name, "--actor", "zoe", "--reason", "T-81"]
    return erase.erased(erase.parser().parse_args([*common, *command]), FixedClock(now))


def stored(bed: Bed) -> str:
    """Everything in the table, as text, what is packed unpacked."""
    texts = []
    for item in bed.contents():
        if "packed" in item:
            item = {**item, "packed": unpack(bytes(item["packed"]["B"]))}
        texts.append(json.dumps(item, default=str, ensure_ascii=False))
    return "\n".join(texts).replace("\\\\u00eb", "ë").replace("\\\\u00e9", "é")


def is_sound(bed: Bed) -> bool:
    account = bed.book.account(ACME)
    return prove(account, bed.book.entries(account)).is_sound


def test_a_member_who_left_is_named_nowhere_any_more(bed: Bed) -> None:
    assert all(text in stored(bed) for text in PERSONAL)
    wallet = bed.book.account(ACME).wallet_micros
    assert run(bed, "member", "acme", "mem_zoe") > 0
    left = stored(bed)
    # The subject stays as the actor of what he did: it names an account of an identity provider.
    assert not [text for text in PERSONAL[:2] if text in left]
    assert left.count("auth0|zoe") == left.count('actor\\":\\"auth0|zoe')
    member = bed.members.member("acme", "mem_zoe")
    assert (member.email, member.first_name, member.subject) == ("", "", None)
    assert is_sound(bed)
    assert bed.book.account(ACME).wallet_micros == wallet
    assert run(bed, "member", "acme", "mem_zoe") == 0


def test_a_member_who_is_still_there_is_not_erased(bed: Bed) -> None:
    account = bed.book.account(ACME)
    bob = a_member("bob")
    bed.commit(a_membership(account, bed.members.counts("acme"), bob))
    with pytest.raises(ConflictError):
        run(bed, "member", "acme", "mem_bob")
    assert bed.members.member("acme", "mem_bob") == bob


def test_the_numbers_of_old_calls_are_gone_and_every_ledger_still_proves(bed: Bed) -> None:
    account = bed.book.account(ACME)
    entries = list(bed.book.entries(account))
    # Two calls, a revision of one, an audit record, and what was parked and is closed.
    assert run(bed, "numbers", "acme", "main", "--before", DAY) == 5
    left = stored(bed)
    assert CALLER not in left
    assert CALLED not in left
    # Whoever still has to place the other one needs its numbers.
    assert left.count(PARKED_CALLER) == 2
    assert list(bed.book.entries(bed.book.account(ACME))) == entries
    assert is_sound(bed)
    assert run(bed, "numbers", "acme", "main", "--before", DAY) == 0


def test_a_call_without_numbers_is_still_the_same_call(bed: Bed) -> None:
    numbers: dict[str, Any] = {"from_number": CALLER, "to_number": CALLED}
    events = [a_usage_event(number, **numbers) for number in (1, 2)]
    before = bed.book.current_calls("acme", [event.key for event in events])
    run(bed, "numbers", "acme", "main", "--before", DAY)
    after = bed.book.current_calls("acme", [event.key for event in events])
    assert [call.fingerprint for call in after.values()] == [
        call.fingerprint for call in before.values()
    ]
    assert {call.revision for call in after.values()} == {0, 1}
    with pytest.raises(CallsRecordedError):
        bed.commit(a_posting(bed.book.account(ACME), events))


def test_who_agreed_is_forgotten_and_to_what_is_not(bed: Bed) -> None:
    assert all(text in stored(bed) for text in AGREED)
    assert run(bed, "acceptances", "acme", "main", "--before", DAY) == 3
    assert not [text for text in AGREED if text in stored(bed)]
    records = list(bed.audit.records(ACME, NOON, LATER + timedelta(days=1)))
    (newest, *others) = records
    assert (newest.action, newest.actor, newest.after["written"]) == (
        "acceptances.erased",
        "zoe",
        3,
    )
    assert {r.acceptance.terms_version for r in others if r.acceptance} == {"2026-01"}


@pytest.mark.parametrize(
    ("what", "kept"), [("numbers", CALLS_KEPT), ("acceptances", ACCEPTANCES_KEPT)]
)
def test_what_is_still_needed_is_not_erased(bed: Bed, what: str, kept: timedelta) -> None:
    contents = bed.contents()
    young = f"{NOON - kept + timedelta(days=1):%Y-%m-%d}"
    with pytest.raises(InvalidInputError):
        run(bed, what, "acme", "main", "--before", young, now=NOON)
    assert bed.contents() == contents


def test_only_the_account_that_is_named_is_touched(bed: Bed) -> None:
    with pytest.raises(TalktimeError):
        run(bed, "numbers", "globex", "main", "--before", DAY)
    other = AccountRef("acme", "second")
    bed.commit(an_opening(an_account(other)))
    assert run(bed, "numbers", "acme", "second", "--before", DAY) == 0
    assert CALLER in stored(bed)
