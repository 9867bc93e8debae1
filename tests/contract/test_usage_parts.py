"""What every store of parts of calls, and of what carriers bill for calls, keeps to."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

import boto3
import pytest

from billing.adapters.dynamodb.carrier_costs import DynamoDBCarrierCosts
from billing.adapters.dynamodb.table import Table
from billing.adapters.dynamodb.timers import DynamoDBTimers
from billing.adapters.dynamodb.usage_parts import DynamoDBUsageParts
from billing.domain.account import AccountRef
from billing.domain.callbacks import CarrierRated
from billing.domain.records import TimerKind
from billing.domain.units import Direction
from billing.domain.usage import CallKey, CallStatus
from billing.domain.usage_parts import PartKind, UsagePart
from billing.ports import CarrierCosts, KeptPart, PartialCall, UsageParts
from builders import a_call_key
from contract.beds import BEDS, Bed, in_cloud, in_moto
from fakes.usage_parts import InMemoryCarrierCosts, InMemoryUsageParts

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DUE = NOON + timedelta(hours=6)
ACME = AccountRef("acme", "main")
KEY = CallKey("telnyx", "1", "leg#1")
CALL = PartialCall("acme", KEY)


@dataclass(frozen=True)
class Stores:
    """Both stores, and the table they are in; None in memory."""

    parts: UsageParts
    costs: CarrierCosts
    bed: Bed | None


@pytest.fixture(params=BEDS)
def stores(request: pytest.FixtureRequest) -> Iterator[Stores]:
    if request.param == "memory":
        yield Stores(InMemoryUsageParts(), InMemoryCarrierCosts(), None)
        return
    is_cloud = request.param == "cloud"
    with in_cloud(request.getfixturevalue("cloud").endpoint) if is_cloud else in_moto() as bed:
        table = Table(bed.table_name)
        yield Stores(DynamoDBUsageParts(table), DynamoDBCarrierCosts(table), bed)


def a_part(
    kind: PartKind = PartKind.ANSWERED,
    *,
    key: CallKey = KEY,
    account: AccountRef | None = ACME,
    due_at: datetime = DUE,
) -> KeptPart:
    part = UsagePart(
        key=key,
        kind=kind,
        at=NOON,
        direction=Direction.OUTBOUND if kind is PartKind.INITIATED else None,
        from_number="sip:☎@example.com",
        to_number="+14155550123",
        status=CallStatus.COMPLETED if kind is PartKind.ENDED else None,
        connection_id="telnyx-1",
    )
    return KeptPart(part, account, due_at, NOON + timedelta(days=30))


def test_parts_of_a_call_are_found_together_as_they_were_kept(stores: Stores) -> None:
    assert stores.parts.of_call(CALL) == []
    kept = [a_part(kind) for kind in PartKind]
    for each in kept:
        stores.parts.keep(each)
    found = stores.parts.of_call(CALL)
    assert sorted(found, key=lambda each: each.part.kind) == sorted(
        kept, key=lambda each: each.part.kind
    )


def test_the_same_part_again_keeps_the_first(stores: Stores) -> None:
    stores.parts.keep(a_part())
    later = replace(a_part(due_at=DUE + timedelta(hours=1)), expires_at=NOON + timedelta(days=31))
    stores.parts.keep(later)
    assert stores.parts.of_call(CALL) == [a_part()]


def test_reports_of_one_part_that_differ_are_kept_beside_each_other(stores: Stores) -> None:
    other = replace(a_part(), part=replace(a_part().part, at=NOON + timedelta(microseconds=1)))
    for each in (a_part(), other):
        stores.parts.keep(each)
    found = stores.parts.of_call(CALL)
    assert sorted(found, key=lambda each: each.part.at) == [a_part(), other]


def test_calls_of_other_tenants_and_of_nobody_are_other_calls(stores: Stores) -> None:
    refs = [ACME, AccountRef("globex", "main"), None]
    for ref in refs:
        stores.parts.keep(a_part(account=ref))
    for ref in refs:
        call = PartialCall(ref.tenant_id if ref else None, KEY)
        assert stores.parts.of_call(call) == [a_part(account=ref)]
    assert stores.parts.of_call(PartialCall("acme", replace(KEY, call_id="leg"))) == []
    assert set(stores.parts.due(DUE)) == {
        PartialCall(name, KEY) for name in ("acme", "globex", None)
    }


def test_what_is_due_is_due_from_its_instant_on(stores: Stores) -> None:
    stores.parts.keep(a_part())
    assert list(stores.parts.due(DUE - timedelta(microseconds=1))) == []
    assert list(stores.parts.due(DUE)) == [CALL]


def test_a_call_is_named_once_however_much_of_it_is_due(stores: Stores) -> None:
    keys = sorted(a_call_key(number) for number in range(20))
    for key in keys:
        for kind in PartKind:
            stores.parts.keep(a_part(kind, key=key))
    found = list(stores.parts.due(DUE))
    assert sorted(found, key=lambda call: call.key) == [PartialCall("acme", key) for key in keys]


def test_what_is_settled_is_kept_and_never_due_again(stores: Stores) -> None:
    for kind in PartKind:
        stores.parts.keep(a_part(kind))
    for _ in range(2):
        stores.parts.settle(stores.parts.of_call(CALL))
    stores.parts.keep(a_part())
    assert list(stores.parts.due(DUE + timedelta(days=1))) == []
    found = {each.part.kind: each for each in stores.parts.of_call(CALL)}
    assert found == {kind: replace(a_part(kind), due_at=None) for kind in PartKind}


def test_settling_what_has_expired_does_not_bring_it_back(stores: Stores) -> None:
    stores.parts.settle([a_part()])
    assert stores.parts.of_call(CALL) == []


def test_a_part_due_is_no_timer_of_any_kind(stores: Stores) -> None:
    stores.parts.keep(a_part())
    if stores.bed is not None:
        timers = DynamoDBTimers(Table(stores.bed.table_name))
        for kind in TimerKind:
            assert list(timers.due(kind, DUE + timedelta(days=400))) == []


def test_a_part_beside_a_call_is_not_the_call(stores: Stores) -> None:
    stores.parts.keep(a_part())
    stores.costs.keep("acme", a_cost())
    if stores.bed is not None:
        assert stores.bed.book.calls("acme", [KEY]) == {}
    assert [each.part.kind for each in stores.parts.of_call(CALL)] == [PartKind.ANSWERED]


def test_a_part_expires_by_the_tables_own_attribute(stores: Stores) -> None:
    stores.parts.keep(a_part())
    stores.parts.settle([a_part()])
    if stores.bed is not None:
        (item,) = boto3.client("dynamodb").scan(TableName=stores.bed.table_name)["Items"]
        assert item["expires_at"] == {"N": str(int((NOON + timedelta(days=30)).timestamp()))}
        assert not {"due_pk", "due_at"} & set(item)


def a_cost(cost: str = "0.004200000000000001", *, after_seconds: int = 0) -> CarrierRated:
    return CarrierRated(KEY, 120, cost, "USD", NOON + timedelta(seconds=after_seconds))


def test_a_cost_is_kept_to_its_last_decimal(stores: Stores) -> None:
    silent = replace(a_cost(), key=replace(KEY, call_id="other"), billed_seconds=None)
    for rated in (a_cost(), a_cost(), silent):
        stores.costs.keep("acme", rated)
    unknown = replace(KEY, call_id="unknown")
    found = stores.costs.of_calls("acme", [KEY, silent.key, unknown])
    assert found == {KEY: a_cost(), silent.key: silent}
    assert stores.costs.of_calls("globex", [KEY]) == {}


def test_the_carriers_latest_word_counts_in_whatever_order_it_comes(stores: Stores) -> None:
    words = [a_cost("0.01"), a_cost("0.02", after_seconds=9), a_cost("0.03", after_seconds=9)]
    found = set()
    for number, order in enumerate(permutations(words)):
        tenant_id = f"tenant-{number}"
        for rated in (*order, order[0]):
            stores.costs.keep(tenant_id, rated)
        found.add(stores.costs.of_calls(tenant_id, [KEY])[KEY])
    (latest,) = found
    assert latest in words[1:]


def test_an_error_other_than_the_condition_is_not_swallowed() -> None:
    with in_moto() as bed:
        gone = Table(bed.table_name + "-gone")
        with pytest.raises(Exception, match="ResourceNotFoundException"):
            DynamoDBUsageParts(gone).keep(a_part())
        with pytest.raises(Exception, match="ResourceNotFoundException"):
            DynamoDBUsageParts(gone).settle([a_part()])
        with pytest.raises(Exception, match="ResourceNotFoundException"):
            DynamoDBCarrierCosts(gone).keep("acme", a_cost())
