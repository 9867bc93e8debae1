"""How a stored form changes: read for ever, written anew, and never by who cannot understand it."""

import json
from typing import Any

import pytest

from billing.adapters.dynamodb import items, upgrades
from billing.domain.records import Recharge, RechargeState
from builders import ACME, a_recharge_change, an_account

ATTEMPT_FIELDS = (
    "source_id",
    "gateway",
    "started_at",
    "state",
    "payment_id",
    "failure_code",
)


def a_recharge() -> Recharge:
    recharge = a_recharge_change(an_account().next_version()).records[0]
    assert isinstance(recharge, Recharge)
    return recharge


def as_in_october(raw: dict[str, Any]) -> dict[str, Any]:
    """The same recharge as it was stored when it asked one source, once."""
    body = json.loads(raw["body"]["S"])
    (attempt,) = body.pop("attempts")
    body |= {name: attempt[name] for name in ATTEMPT_FIELDS}
    return {**raw, "body": {"S": json.dumps(body)}}


def release(monkeypatch: pytest.MonkeyPatch, *, reads: int, writes: int) -> None:
    """A release, by the two numbers it is made with."""
    monkeypatch.setattr(items, "READABLE_SCHEMA", reads)
    monkeypatch.setattr(items.Item.schema, "default", writes)


def written(recharge: Recharge) -> dict[str, Any]:
    return dict(items.record_item(recharge).serialize())


def test_an_old_form_is_read_and_written_anew_without_a_loss() -> None:
    recharge = a_recharge()
    old = as_in_october(written(recharge))
    assert "attempts" not in json.loads(old["body"]["S"])
    read = items.record_of(Recharge, old)
    (attempt,) = read.attempts
    assert (attempt.source_id, attempt.state) == (recharge.attempts[0].source_id, read.state)
    assert attempt.idempotency_key == f"recharge/{ACME.tenant_id}/{ACME.account_id}/1"
    assert read.state is RechargeState.PENDING
    # Written again it has the new form, and is the same recharge.
    assert "attempts" in json.loads(written(read)["body"]["S"])
    assert items.record_of(Recharge, written(read)) == read


def test_an_upgrade_leaves_the_new_form_and_other_records_alone() -> None:
    stored = json.loads(written(a_recharge())["body"]["S"])
    assert upgrades.record(Recharge, dict(stored)) == stored
    assert upgrades.record(type(ACME), {"source_id": "x"}) == {"source_id": "x"}


def test_the_next_schema_comes_in_two_releases_and_either_can_be_rolled_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recharge = a_recharge()
    release(monkeypatch, reads=1, writes=1)
    before = written(recharge)

    release(monkeypatch, reads=2, writes=1)
    assert items.record_of(Recharge, before) == recharge
    first = written(recharge)

    release(monkeypatch, reads=1, writes=1)
    assert items.record_of(Recharge, first) == recharge, "the first release can be rolled back"

    release(monkeypatch, reads=2, writes=2)
    assert items.record_of(Recharge, first) == recharge
    second = written(recharge)
    assert second["schema"] == {"N": "2"}

    release(monkeypatch, reads=2, writes=1)
    assert items.record_of(Recharge, second) == recharge, "so can the second, to the first"

    release(monkeypatch, reads=1, writes=1)
    with pytest.raises(items.UnknownSchemaError):
        items.record_of(Recharge, second)


def test_no_release_writes_what_it_does_not_read() -> None:
    assert items.SCHEMA <= items.READABLE_SCHEMA
