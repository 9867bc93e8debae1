"""Automatic recharge: the settings, and what they would do now."""

from typing import Any

from api import auth, etags
from api.accepting import acceptance_of, by
from api.endpoint import Answer, Call, Endpoint
from api.routes.accounts import ACCOUNT_PATH
from api.schemas.auto_recharge import AutoRechargeIn, AutoRechargeOut, EarlyOut
from api.schemas.base import MoneyIn, MoneyOut
from billing.domain.errors import CurrencyMismatchError, InvalidInputError
from billing.domain.recharging import Every, RechargeMode, RechargePolicy
from billing.services.read_overview import EarlyView, Overview
from billing.services.set_auto_recharge import policy_etag

TAG = "Recharge"
PATH = f"{ACCOUNT_PATH}/auto-recharge"

_MONEY = ("threshold", "amount", "target", "minimum", "maximum", "monthly_cap")
_NUMBERS = ("lookback_days", "recharge_days", "reserve_days", "minimum_history_days", "day")
_LIMITS = ("maximum", "monthly_cap", "early")
_NEEDED = {
    "off": (),
    "fixed": ("threshold", "amount"),
    "target": ("threshold", "target"),
    "usage": (),
    "calendar": ("amount", "every", "day"),
}
_ALLOWED: dict[str, tuple[str, ...]] = {
    "off": (),
    "fixed": _LIMITS,
    "target": ("minimum", *_LIMITS),
    "usage": (
        "minimum",
        "lookback_days",
        "recharge_days",
        "reserve_days",
        "minimum_history_days",
        *_LIMITS,
    ),
    "calendar": ("monthly_cap", "early"),
}
"""What a mode has beside what it needs."""


def get_auto_recharge(call: Call) -> Answer:
    return _answer(call.talktime.read_overview.read(call.account()))


def put_auto_recharge(call: Call) -> Answer:
    body = call.body_as(AutoRechargeIn)
    ref = call.account()
    account = call.talktime.book.account(ref)
    current = policy_etag(account.recharging.policy)
    call.precondition.require(current)
    policy = _policy(body, account.currency)
    call.talktime.set_auto_recharge.set(
        ref,
        policy,
        seen_etag=current,
        by=by(call, acceptance_of(call, body.acceptance)),
    )
    return _answer(call.talktime.read_overview.read(ref))


def _policy(body: AutoRechargeIn, currency: str) -> RechargePolicy:
    """The policy a mode's own settings make; those of another mode are refused, not ignored."""
    names = (*_MONEY, *_NUMBERS, "every", "early")
    given = {name: value for name in names if (value := getattr(body, name)) is not None}
    for name in _NEEDED[body.mode]:
        if name not in given:
            raise InvalidInputError(f"mode {body.mode} needs {name}", field=name)
    for name in given:
        if name not in (*_NEEDED[body.mode], *_ALLOWED[body.mode]):
            raise InvalidInputError(f"mode {body.mode} has no {name}", field=name)
    settings: dict[str, Any] = {name: given[name] for name in _NUMBERS if name in given}
    for name in _MONEY:
        if name in given:
            settings[f"{name}_micros"] = _micros(name, given[name], currency)
    return RechargePolicy(
        mode=RechargeMode(body.mode),
        every=Every(body.every or Every.WEEK),
        is_early=bool(body.early),
        **settings,
    )


def _micros(name: str, money: MoneyIn, currency: str) -> int:
    if money.currency != currency:
        raise CurrencyMismatchError(f"the account is in {currency}", field=f"{name}/currency")
    return money.parse().micros


def _answer(overview: Overview) -> Answer:
    account = overview.account
    recharging = account.recharging
    policy, currency = recharging.policy, account.currency
    is_usage = policy.mode is RechargeMode.USAGE
    body = AutoRechargeOut.model_validate(
        {
            "mode": policy.mode.value,
            **_settings(policy, currency),
            "early": policy.is_early,
            "average_daily_spend": MoneyOut.of(overview.average_daily_spend_micros, currency),
            "runway_days": overview.runway_days,
            "reserve": _money(overview.threshold_micros if is_usage else None, currency),
            "would_collect": MoneyOut.of(overview.collects.micros, currency),
            "limited_by": overview.collects.limited_by,
            "collected_this_month": MoneyOut.of(overview.collected_micros, currency),
            "state": overview.status.standing,
            "message": overview.status.message,
            "suspended_at": recharging.suspended_at,
            "suspended_reason": recharging.suspended_reason,
            "declines": recharging.declines,
            "retry_at": recharging.retry_at,
            "due_at": recharging.due_at,
            "due_reason": recharging.due_reason,
            "next_cycle_at": overview.next_cycle_at,
            "early_view": _early(overview.early, currency),
        }
    )
    return Answer(200, body, {"ETag": etags.etag(policy_etag(policy))})


def _settings(policy: RechargePolicy, currency: str) -> dict[str, Any]:
    """Those the mode has."""
    shown: dict[str, Any] = {}
    for name in (*_NEEDED[policy.mode], *_ALLOWED[policy.mode]):
        if name in _MONEY:
            shown[name] = _money(getattr(policy, f"{name}_micros"), currency)
        elif name != "early":
            shown[name] = getattr(policy, name)
    return shown


def _money(micros: int | None, currency: str) -> MoneyOut | None:
    return None if micros is None else MoneyOut.of(micros, currency)


def _early(early: EarlyView | None, currency: str) -> EarlyOut | None:
    if early is None:
        return None
    return EarlyOut(
        burn_per_hour=MoneyOut.of(early.burn_per_hour_micros, currency),
        empties_at=early.empties_at,
        collects_at_once=early.collects_at_once,
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=PATH,
        name="get_auto_recharge",
        summary="Read the automatic recharge settings, and what they would collect now",
        tag=TAG,
        serve=get_auto_recharge,
        roles=auth.ADMINS,
        is_tenants=True,
        answers={200: AutoRechargeOut},
        has_etag=True,
        problems=("not_found",),
    ),
    Endpoint(
        method="PUT",
        path=PATH,
        name="put_auto_recharge",
        summary="Set automatic recharge; lifts a suspension",
        tag=TAG,
        serve=put_auto_recharge,
        roles=auth.ADMINS,
        is_tenants=True,
        body=AutoRechargeIn,
        answers={200: AutoRechargeOut},
        has_etag=True,
        needs_match=True,
        problems=("not_found", "acceptance_required", "currency_mismatch", "no_catalog"),
    ),
)
