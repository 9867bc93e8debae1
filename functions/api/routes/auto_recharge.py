"""Automatic recharge: the settings, and what they would do now."""

from api import auth, etags
from api.accepting import acceptance_of
from api.endpoint import Answer, Call, Endpoint
from api.routes.accounts import ACCOUNT_PATH
from api.schemas.base import MoneyIn, MoneyOut
from api.schemas.recharges import AutoRechargeIn, AutoRechargeOut
from billing.domain.account import RechargePolicy
from billing.domain.errors import CurrencyMismatchError, InvalidInputError
from billing.services.read_overview import Overview
from billing.services.set_auto_recharge import policy_etag

TAG = "Recharge"
PATH = f"{ACCOUNT_PATH}/auto-recharge"

_AMOUNTS = ("threshold", "amount", "target", "maximum")
_NEEDED = {"off": (), "fixed": ("threshold", "amount"), "target": ("threshold", "target")}


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
        actor=call.actor.sub,
        acceptance=acceptance_of(call, body.acceptance),
    )
    return _answer(call.talktime.read_overview.read(ref))


def _policy(body: AutoRechargeIn, currency: str) -> RechargePolicy:
    """The policy a mode's own amounts make; amounts of another mode are refused, not ignored."""
    given = {name: money for name in _AMOUNTS if (money := getattr(body, name)) is not None}
    needed = _NEEDED[body.mode]
    for name in needed:
        if name not in given:
            raise InvalidInputError(f"mode {body.mode} needs {name}", field=name)
    for name in given:
        if name not in needed and (name != "maximum" or body.mode == "off"):
            raise InvalidInputError(f"mode {body.mode} has no {name}", field=name)
    micros = {name: _micros(name, money, currency) for name, money in given.items()}
    return RechargePolicy(
        mode=body.mode,
        threshold_micros=micros.get("threshold", 0),
        amount_micros=micros.get("amount", 0),
        target_micros=micros.get("target", 0),
        maximum_micros=micros.get("maximum"),
    )


def _micros(name: str, money: MoneyIn, currency: str) -> int:
    if money.currency != currency:
        raise CurrencyMismatchError(f"the account is in {currency}", field=f"{name}/currency")
    return money.parse().micros


def _answer(overview: Overview) -> Answer:
    account = overview.account
    recharging = account.recharging
    policy, currency = recharging.policy, account.currency
    micros = {
        "threshold": policy.threshold_micros,
        "amount": policy.amount_micros,
        "target": policy.target_micros,
        "maximum": policy.maximum_micros,
    }
    shown = (*_NEEDED[policy.mode], *(("maximum",) if policy.mode != "off" else ()))
    body = AutoRechargeOut.model_validate(
        {
            "mode": policy.mode,
            **{
                name: None if (found := micros[name]) is None else MoneyOut.of(found, currency)
                for name in shown
            },
            "would_collect": MoneyOut.of(overview.collects_micros, currency),
            "is_suspended": recharging.suspended_at is not None,
            "suspended_at": recharging.suspended_at,
            "declines": recharging.declines,
            "next_cycle_by": overview.next_cycle_by,
        }
    )
    return Answer(200, body, {"ETag": etags.etag(policy_etag(policy))})


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
