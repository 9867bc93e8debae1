"""What was stored in an earlier form of schema 1, read as what is stored today.

Nothing is rewritten for it: an item takes its new form when it is next written. Each upgrade says
from when it is, and goes when no table can hold the old form any more.
"""

from dataclasses import fields
from typing import Any

from billing.adapters.dynamodb.codec import Value, to_json
from billing.domain.account import PlanFeatures, PlanTerms
from billing.domain.alerting import Alerting
from billing.domain.canonical import Json
from billing.domain.recharging import RechargePolicy, Recharging
from billing.domain.records import Recharge


def without_defaults(recharging: Recharging) -> dict[str, Json]:
    """Every posting pays for what the account state holds: what says nothing is left out."""
    stored = _given(recharging, Recharging())
    if policy := _given(recharging.policy, RechargePolicy()):
        stored["policy"] = policy
    else:
        stored.pop("policy", None)
    if recharging.opened:
        stored["opened"] = [_said(one) for one in recharging.opened]
    return stored


def plan_without_defaults(plan: PlanTerms) -> dict[str, Json]:
    """The same for what most plans do not say; where one does, its values without their names."""
    stored = dict(to_json(plan))
    del stored["features"]
    if plan.refills_while_past_due:
        del stored["refills_while_past_due"]
    if plan.features != PlanFeatures():
        stored["may"] = [plan.features.concurrent_calls, plan.features.queue_priority]
    return stored


def plan(stored: dict[str, Any]) -> dict[str, Any]:
    """What ``plan_without_defaults`` wrote."""
    if "may" in stored:
        concurrent_calls, queue_priority = stored.pop("may")
        stored["features"] = {
            "concurrent_calls": concurrent_calls,
            "queue_priority": queue_priority,
        }
    return stored


def alerting_without_names(alerting: Alerting) -> list[Json]:
    """The same for what few accounts set: its values in their order, up to the last that is."""
    given = _given(alerting, Alerting())
    values = [given.get(field.name) for field in fields(Alerting)]
    while values and values[-1] is None:
        values.pop()
    return values


def alerting(stored: list[Any]) -> dict[str, Any]:
    """What ``alerting_without_names`` wrote."""
    names = (field.name for field in fields(Alerting))
    return {name: value for name, value in zip(names, stored, strict=False) if value is not None}


def _said(value: Value) -> dict[str, Json]:
    """Without the fields that have their own default."""
    plain = to_json(value)
    return {
        field.name: plain[field.name]
        for field in fields(value)
        if getattr(value, field.name) != field.default
    }


def _given(value: Value, default: Value) -> dict[str, Json]:
    plain = to_json(value)
    return {
        field.name: plain[field.name]
        for field in fields(value)
        if getattr(value, field.name) != getattr(default, field.name)
    }


def recharging(stored: dict[str, Any]) -> dict[str, Any]:
    """Until November 2026 an account had one open recharge at the most."""
    was_open = stored.pop("open", None)
    if was_open is not None:
        stored["opened"] = [was_open]
    return stored


def record(kind: type[Value], stored: dict[str, Any]) -> dict[str, Any]:
    """Until November 2026 a recharge asked one source, once."""
    if kind is not Recharge or "attempts" in stored:
        return stored
    tenant, account = stored["account"]["tenant_id"], stored["account"]["account_id"]
    stored["attempts"] = [
        {
            "number": 1,
            "source_id": stored["source_id"],
            "gateway": stored["gateway"],
            "method": "card",
            "idempotency_key": f"recharge/{tenant}/{account}/{stored['ordinal']}",
            "started_at": stored["started_at"],
            "state": stored["state"],
            "payment_id": stored["payment_id"],
            "failure_code": stored["failure_code"],
        }
    ]
    return stored
