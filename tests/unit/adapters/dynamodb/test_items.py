"""What items hold, how large they are, and that older ones can still be read."""

import base64
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from billing.adapters.dynamodb import items
from billing.adapters.dynamodb.codec import from_json, to_json
from billing.adapters.dynamodb.packing import unpack
from billing.domain.account import Account
from billing.domain.alerting import Alerting
from billing.domain.payments import PaymentMethod
from billing.domain.recharging import RechargeMode, RechargeReason
from billing.domain.records import Attempt, Recharge, RechargeState
from billing.domain.units import Unit
from billing.domain.usage import CallStatus, Corrected, CorrectionSource
from builders import (
    ACME,
    NOON,
    a_call,
    a_maximal_account,
    a_posting,
    a_usage_event,
    an_account,
    an_account_with_every_setting,
    an_operation,
)
from capacity import item_size

WRITE_UNIT_BYTES = 1024
STORED = json.loads((Path(__file__).parent / "schema_1.json").read_text())


@pytest.mark.parametrize("seed", range(8))
def test_the_fullest_account_fits_one_write_unit(seed: int) -> None:
    account = a_maximal_account(seed)
    raw = items.account_item(account).serialize()
    assert items.account_of(raw) == account
    assert item_size(raw) <= WRITE_UNIT_BYTES


@pytest.mark.parametrize("seed", range(8))
def test_an_account_that_uses_every_setting_at_once_pays_for_two_and_no_more(seed: int) -> None:
    account = an_account_with_every_setting(seed)
    raw = items.account_item(account).serialize()
    assert items.account_of(raw) == account
    assert item_size(raw) <= 2 * WRITE_UNIT_BYTES


def test_an_account_without_automatic_recharge_pays_for_nothing_of_it() -> None:
    stored = unpack(items.account_item(an_account()).serialize()["packed"]["B"])
    assert stored["recharging"] == {}
    assert "hourly_spend" not in stored


@pytest.mark.parametrize(
    ("alerting", "stored"),
    [
        pytest.param(Alerting(), None, id="nothing is set"),
        pytest.param(Alerting(()), [[]], id="no percentage"),
        pytest.param(Alerting(balance_micros=5), [None, 5], id="an amount"),
        pytest.param(Alerting(runway_days=7), [None, None, 7], id="days"),
        pytest.param(
            Alerting((50,), 5, 7, NOON.date()), [[50], 5, 7, "2026-03-14"], id="everything"
        ),
    ],
)
def test_an_account_pays_for_the_alerts_it_has_set_and_no_others(
    alerting: Alerting, stored: object
) -> None:
    account = an_account(alerting=alerting)
    raw = items.account_item(account).serialize()
    assert items.account_of(raw) == account
    assert unpack(raw["packed"]["B"]).get("alerting") == stored


def test_an_entry_that_names_25_calls_fits_one_write_unit() -> None:
    account = replace(a_maximal_account(), version=7, period=an_account().period)
    (entry,) = a_posting(account, [a_usage_event(number) for number in range(25)]).entries
    raw = items.entry_item(account.ref, entry).serialize()
    assert items.entry_of(raw) == entry
    assert item_size(raw) <= WRITE_UNIT_BYTES


def test_a_call_split_over_four_grants_fits_one_write_unit() -> None:
    account = a_maximal_account()
    call = a_call(
        ref=account.ref,
        granted=tuple((grant.grant_id, grant.remaining) for grant in account.grants),
        deck_id="6fa459ea-ee8a-3ca4-894e-db77e160355e",
        prefix="14155550",
    )
    raw = items.call_item(call).serialize()
    assert items.call_of(raw) == call
    assert item_size(raw) <= WRITE_UNIT_BYTES


@pytest.mark.parametrize(
    "event",
    [
        a_usage_event(status=CallStatus.BUSY, quantity=0, answered_at=None),
        a_usage_event(unit=Unit.MESSAGES, quantity=3, from_number="Zoë ☎"),
    ],
    ids=["unanswered", "a message from a name"],
)
def test_calls_of_every_kind_come_back_exactly(event: Any) -> None:
    call = a_call(event=event)
    assert items.call_of(items.call_item(call).serialize()) == call


def test_a_revision_comes_back_exactly_and_fits_one_write_unit() -> None:
    corrected = Corrected(1, CorrectionSource.RERATING, 87_654_321, NOON)
    call = a_call(corrected=corrected)
    raw = items.revision_item(call).serialize()
    assert items.call_of(raw) == call
    assert item_size(raw) <= WRITE_UNIT_BYTES


def test_a_call_that_was_never_corrected_pays_for_no_correction() -> None:
    raw = items.call_item(a_call()).serialize()
    assert "corrected" not in unpack(raw["packed"]["B"])
    assert "revision" not in raw
    assert items.revision_of(raw) == 0


def test_an_entry_that_corrects_25_calls_fits_one_write_unit() -> None:
    account = replace(a_maximal_account(), version=7, period=an_account().period)
    (entry,) = a_posting(account, [a_usage_event(number) for number in range(25)]).entries
    usage = replace(entry.usage, revisions=tuple(range(1, 26)))
    entry = replace(entry, usage=usage, cause="op_" + "a" * 40 + "/123")
    raw = items.entry_item(account.ref, entry).serialize()
    assert items.entry_of(raw) == entry
    assert item_size(raw) <= WRITE_UNIT_BYTES


def test_an_account_without_spend_or_grants_comes_back_exactly() -> None:
    account = an_account(grants=())
    assert items.account_of(items.account_item(account).serialize()) == account


def test_every_item_says_which_schema_it_is_written_in() -> None:
    assert items.operation_item(an_operation()).serialize()["schema"] == {"N": "1"}


def test_an_item_of_a_later_schema_is_refused() -> None:
    raw = items.account_item(an_account()).serialize()
    raw["schema"] = {"N": str(items.SCHEMA + 1)}
    with pytest.raises(items.UnknownSchemaError):
        items.account_of(raw)


@pytest.mark.parametrize("kind", STORED)
def test_items_of_schema_1_are_read_as_they_were_meant(kind: str) -> None:
    read = {"account": items.account_of, "entry": items.entry_of, "call": items.call_of}[kind]
    raw = {
        name: {type_: base64.b64decode(content) if type_ == "B" else content}
        for name, value in STORED[kind]["item"].items()
        for type_, content in value.items()
    }
    value = to_json(read(raw))  # type: ignore[arg-type]  # one of three dataclasses
    meant = STORED[kind]["value"]
    if kind == "account":
        meant = _renamed(meant)
    assert _as_far_as_meant(value, meant) == meant


def _renamed(meant: dict[str, Any]) -> dict[str, Any]:
    """The same in today's names: the one open recharge is one of several."""
    recharging = dict(meant["recharging"])
    opened = recharging.pop("open")
    return {**meant, "recharging": {**recharging, "opened": [opened] if opened else []}}


def test_an_account_of_schema_1_with_an_open_recharge_is_written_anew_without_a_loss() -> None:
    raw = {
        name: {type_: base64.b64decode(content) if type_ == "B" else content}
        for name, value in STORED["account"]["item"].items()
        for type_, content in value.items()
    }
    meant = STORED["account"]["value"]["recharging"]
    account = items.account_of(raw)
    (opened,) = account.recharging.opened
    assert (opened.ordinal, opened.amount_micros, opened.source_id, opened.is_unknown) == (
        meant["open"]["ordinal"],
        meant["open"]["amount_micros"],
        meant["open"]["source_id"],
        meant["open"]["is_unknown"],
    )
    assert account.recharging.policy.mode is RechargeMode(meant["policy"]["mode"])
    again = items.account_item(account).serialize()
    assert "open" not in unpack(again["packed"]["B"])["recharging"]
    assert items.account_of(again) == account


def test_a_recharge_of_one_source_is_read_as_its_one_attempt_under_the_key_it_had() -> None:
    stored = {
        "account": {"tenant_id": "acme", "account_id": "main"},
        "ordinal": 7,
        "amount_micros": 20_000_000,
        "currency": "USD",
        "reason": "requested",
        "source_id": "card-1",
        "gateway": "sandbox",
        "state": "unknown",
        "started_at": "2026-03-14T12:00:00.000000Z",
        "payment_id": None,
        "failure_code": None,
        "settled_at": None,
        "requested_by": "asked",
        "requested_body": "b",
    }
    raw = {
        "pk": {"S": "pk"},
        "sk": {"S": "sk"},
        "schema": {"N": "1"},
        "body": {"S": json.dumps(stored)},
    }
    recharge = items.record_of(Recharge, raw)
    assert recharge == Recharge(
        account=ACME,
        ordinal=7,
        amount_micros=20_000_000,
        currency="USD",
        reason=RechargeReason.REQUESTED,
        state=RechargeState.UNKNOWN,
        started_at=NOON,
        attempts=(
            Attempt(
                number=1,
                source_id="card-1",
                gateway="sandbox",
                method=PaymentMethod.CARD,
                # What the gateway was asked under, and must be asked under again.
                idempotency_key="recharge/acme/main/7",
                started_at=NOON,
                state=RechargeState.UNKNOWN,
            ),
        ),
        requested_by="asked",
        requested_body="b",
    )
    again = items.record_item(recharge).serialize()
    assert "source_id" not in json.loads(again["body"]["S"])
    assert items.record_of(Recharge, again) == recharge


def _as_far_as_meant(value: Any, meant: Any) -> Any:
    """The value without the fields that are younger than what was stored."""
    if isinstance(meant, dict):
        return {name: _as_far_as_meant(value[name], meant[name]) for name in meant}
    if isinstance(meant, list):
        return [_as_far_as_meant(one, other) for one, other in zip(value, meant, strict=True)]
    return value


@dataclass(frozen=True, slots=True)
class Older:
    kept: int
    gone: str = "gone"


@dataclass(frozen=True, slots=True)
class Newer:
    kept: int
    added: tuple[str, ...] = ("new",)


def test_a_new_field_takes_its_default_and_a_field_that_is_gone_is_passed_over() -> None:
    assert from_json(Newer, to_json(Older(7))) == Newer(7)


@pytest.mark.parametrize("value", [1.5, b"bytes", {1, 2}], ids=str)
def test_what_cannot_be_stored_exactly_is_refused(value: object) -> None:
    operation = an_operation(answer={"amount": [value]})
    with pytest.raises(TypeError):
        items.operation_item(operation)


def test_times_come_back_in_utc() -> None:
    account: Account = items.account_of(items.account_item(an_account()).serialize())
    assert account.created_at == NOON
    assert account.created_at.tzinfo is NOON.tzinfo
