"""Alerts: what an account is told of, and what stands now."""

from api import auth, etags
from api.accepting import by
from api.endpoint import Answer, Call, Endpoint
from api.routes.accounts import ACCOUNT_PATH
from api.schemas.alerts import AlertOut, AlertsIn, AlertsOut
from api.schemas.base import MoneyIn, MoneyOut
from billing.domain.alerting import Alerting
from billing.domain.errors import CurrencyMismatchError
from billing.services.read_overview import Overview
from billing.services.set_alerts import alerting_etag

TAG = "Alerts"
PATH = f"{ACCOUNT_PATH}/alerts"


def get_alerts(call: Call) -> Answer:
    return _answer(call.talktime.read_overview.read(call.account()))


def put_alerts(call: Call) -> Answer:
    """It changes no bill, so nobody has to accept it."""
    body = call.body_as(AlertsIn)
    ref = call.account()
    account = call.talktime.book.account(ref)
    current = alerting_etag(account.alerting)
    call.precondition.require(current)
    wanted = Alerting(
        grant_percents=tuple(body.grant_percents),
        balance_micros=_micros(body.low_balance, account.currency),
        runway_days=body.runway_days,
    )
    call.talktime.set_alerts.set(ref, wanted, seen_etag=current, by=by(call, None))
    return _answer(call.talktime.read_overview.read(ref))


def _micros(money: MoneyIn | None, currency: str) -> int | None:
    if money is None:
        return None
    if money.currency != currency:
        raise CurrencyMismatchError(f"the account is in {currency}", field="low_balance/currency")
    return money.parse().micros


def _answer(overview: Overview) -> Answer:
    account = overview.account
    alerting, currency = account.alerting, account.currency
    low = alerting.balance_micros
    body = AlertsOut(
        grant_percents=list(alerting.grant_percents),
        low_balance=None if low is None else MoneyOut.of(low, currency),
        runway_days=alerting.runway_days,
        standing=[AlertOut.of(alert, currency) for alert in overview.alerts],
    )
    return Answer(200, body, {"ETag": etags.etag(alerting_etag(alerting))})


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=PATH,
        name="get_alerts",
        summary="Read what the account is told of, and which alerts stand now",
        tag=TAG,
        serve=get_alerts,
        roles=auth.ADMINS,
        is_tenants=True,
        answers={200: AlertsOut},
        has_etag=True,
        problems=("not_found",),
    ),
    Endpoint(
        method="PUT",
        path=PATH,
        name="put_alerts",
        summary="Set what the account is told of; what stands already is told at once",
        tag=TAG,
        serve=put_alerts,
        roles=auth.ADMINS,
        is_tenants=True,
        body=AlertsIn,
        answers={200: AlertsOut},
        has_etag=True,
        needs_match=True,
        problems=("not_found", "currency_mismatch"),
    ),
)
