"""Billing accounts: listed, opened, and how one stands."""

from dataclasses import replace

from api import auth
from api.endpoint import Answer, Call, Endpoint
from api.idempotency import Needs, body_hash
from api.licences_shown import licences_of
from api.problems import RequestError
from api.routes import lists
from api.schemas.account_list import AccountListed, AccountsOut, TotalOut
from api.schemas.accounts import OverviewOut
from api.schemas.base import Page, PageQuery
from api.schemas.tenants import AccountIn, AccountOpened
from billing.domain.account import AccountRef
from billing.domain.canonical import Json, canonical_json
from billing.ports import AlreadyRecordedError
from billing.services.open_account import NewAccount

TAG = "Accounts"
PATH = "/v1/accounts"
ACCOUNT_PATH = f"{PATH}/{{acct}}"

ACCOUNT_PREFIX = "acct_"
_ACCOUNT_DIGITS = 20


def list_accounts(call: Call) -> Answer:
    after = lists.position(call)
    sees_money = call.actor.sees_money
    found = call.talktime.read_accounts.read(
        call.tenant,
        None if after is None else str(after),
        lists.limit(call),
        with_totals=sees_money,
    )
    answer = lists.page(
        call,
        found.standings,
        lambda one: AccountListed.of(one, with_money=sees_money),
        lambda one: one.account.ref.account_id,
    )
    if found.totals is None:
        return answer
    assert isinstance(answer.body, Page), "this list has no other form"
    page = AccountsOut(
        data=answer.body.data,
        next_cursor=answer.body.next_cursor,
        totals=[TotalOut.of(total) for total in found.totals],
    )
    return replace(answer, body=page)


def post_account(call: Call) -> Answer:
    """The account's id derives from the request, so that one key can open only one."""
    body = call.body_as(AccountIn)
    call.talktime.directory.tenant(call.tenant)
    opening = call.operation_id("")
    account_id = ACCOUNT_PREFIX + opening.rpartition("_")[2][:_ACCOUNT_DIGITS]
    ref = AccountRef(call.tenant, account_id)
    call.talktime.terms_version()
    try:
        call.talktime.open_account.open(
            NewAccount(
                ref=ref,
                name=body.name,
                currency=body.currency,
                time_zone=body.time_zone,
                billing_day=body.billing_day,
                plan_id=body.plan,
                rate_deck=_rate_deck(call, body),
            ),
            opening,
            body_hash(body),
            None,
        )
    except AlreadyRecordedError as error:
        return _opened(call, error.operation.answer, is_replayed=True)
    recorded = call.talktime.book.operation(ref, opening)
    assert recorded is not None
    return _opened(call, recorded.answer)


def get_account(call: Call) -> Answer:
    ref, sees_money = call.account(), call.actor.sees_money
    overview = call.talktime.read_overview.read(ref, with_money=sees_money)
    licences = licences_of(call, ref)
    return Answer(200, OverviewOut.of(overview, licences, with_money=sees_money))


def _rate_deck(call: Call, body: AccountIn) -> str:
    """Prices are the operator's to give: a tenant's further account is priced like its first."""
    if call.actor.is_operator and body.rate_deck is not None:
        return body.rate_deck
    first = call.talktime.book.account(call.talktime.first_account(call.tenant))
    if body.rate_deck not in (None, first.rate_deck):
        raise RequestError("forbidden", "Only an operator chooses another rate deck.")
    return first.rate_deck


def _opened(call: Call, answer: Json, *, is_replayed: bool = False) -> Answer:
    opened = AccountOpened.model_validate_json(canonical_json(answer))
    location = call.url(f"{PATH}/{opened.account}")
    return Answer(201, opened, {"Location": location}, is_replayed=is_replayed)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=PATH,
        name="list_accounts",
        summary="How the tenant's billing accounts stand, and what they hold together",
        tag=TAG,
        serve=list_accounts,
        roles=auth.EVERYONE,
        is_tenants=True,
        query=PageQuery,
        answers={200: AccountsOut},
        problems=("not_found",),
    ),
    Endpoint(
        method="POST",
        path=PATH,
        name="post_account",
        summary="Open a further billing account",
        tag=TAG,
        serve=post_account,
        roles=auth.OPENERS,
        is_tenants=True,
        body=AccountIn,
        key=Needs.OPTIONAL,
        answers={201: AccountOpened},
        problems=("not_found", "no_catalog"),
    ),
    Endpoint(
        method="GET",
        path=ACCOUNT_PATH,
        name="get_account",
        summary="How an account stands: plan, balance, grants, runway, recharge, numbers, licences",
        tag=TAG,
        serve=get_account,
        roles=auth.EVERYONE,
        is_tenants=True,
        answers={200: OverviewOut},
        problems=("not_found",),
    ),
)
