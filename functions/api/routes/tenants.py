"""Tenants: opened by the operator, each with its first billing account."""

from dataclasses import replace

from api import etags
from api.endpoint import DEFAULT_ACCOUNT, Answer, Call, Endpoint
from api.idempotency import Needs, body_hash
from api.problems import under
from api.routes import lists
from api.schemas.base import Page, PageQuery
from api.schemas.tenants import TenantIn, TenantOpened, TenantOut, TenantPatch
from billing.domain.account import AccountRef
from billing.domain.canonical import Json, canonical_json
from billing.domain.errors import InvalidInputError, NotFoundError
from billing.domain.records import Tenant
from billing.ports import AlreadyRecordedError
from billing.services.open_account import NewAccount

TAG = "Tenants"
PATH = "/v1/tenants"
TENANT_PATH = f"{PATH}/{{tenant}}"


def post_tenant(call: Call) -> Answer:
    body = call.body_as(TenantIn)
    wanted = body.account
    if wanted.account == DEFAULT_ACCOUNT:
        raise InvalidInputError(
            f"{DEFAULT_ACCOUNT!r} means a tenant's first account; choose another id",
            field="account/account",
        )
    ref = AccountRef(body.tenant, wanted.account)
    operation_id = call.operation_id(ref.account_id)
    call.talktime.terms_version()
    try:
        with under("account", type(wanted).model_fields):
            call.talktime.open_account.open(
                NewAccount(
                    ref=ref,
                    name=wanted.name or body.name,
                    currency=wanted.currency,
                    time_zone=wanted.time_zone,
                    billing_day=wanted.billing_day,
                    plan_id=wanted.plan,
                    rate_deck=wanted.rate_deck,
                ),
                operation_id,
                body_hash(body),
                body.name,
            )
    except AlreadyRecordedError as error:
        return _opened(call, error.operation.answer, is_replayed=True)
    recorded = call.talktime.book.operation(ref, operation_id)
    assert recorded is not None
    return _opened(call, recorded.answer)


def list_tenants(call: Call) -> Answer:
    after = lists.position(call)
    found = call.talktime.directory.tenants(
        None if after is None else str(after), lists.limit(call) + 1
    )
    return lists.page(call, found, TenantOut.of, lambda tenant: tenant.tenant_id)


def get_tenant(call: Call) -> Answer:
    return _answer(call.talktime.directory.tenant(call.path["tenant"]))


def patch_tenant(call: Call) -> Answer:
    directory = call.talktime.directory
    tenant = directory.tenant(call.path["tenant"])
    call.precondition.require_version(tenant.version)
    body = call.body_as(TenantPatch)
    wanted = tenant if body.name is None else replace(tenant, name=body.name)
    if body.storage_account is not None:
        ref = AccountRef(tenant.tenant_id, body.storage_account)
        wanted = replace(wanted, storage_account_id=_paying(call, ref).account_id)
    return _answer(directory.amend_tenant(tenant, wanted))


def _paying(call: Call, ref: AccountRef) -> AccountRef:
    """
    Raises:
        NotFoundError: Naming the field: the tenant has no such account.
    """
    try:
        return call.talktime.book.account(ref).ref
    except NotFoundError as error:
        error.field = "storage_account"
        raise


def _answer(tenant: Tenant) -> Answer:
    return Answer(200, TenantOut.of(tenant), {"ETag": etags.etag(tenant.version)})


def _opened(call: Call, answer: Json, *, is_replayed: bool = False) -> Answer:
    opened = TenantOpened.model_validate_json(canonical_json(answer))
    location = call.url(f"{PATH}/{opened.tenant}")
    return Answer(201, opened, {"Location": location}, is_replayed=is_replayed)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=PATH,
        name="list_tenants",
        summary="List tenants",
        tag=TAG,
        serve=list_tenants,
        query=PageQuery,
        answers={200: Page[TenantOut]},
    ),
    Endpoint(
        method="POST",
        path=PATH,
        name="post_tenant",
        summary="Open a tenant with its first billing account",
        tag=TAG,
        serve=post_tenant,
        body=TenantIn,
        key=Needs.OPTIONAL,
        answers={201: TenantOpened},
        problems=("conflict", "no_catalog"),
    ),
    Endpoint(
        method="GET",
        path=TENANT_PATH,
        name="get_tenant",
        summary="Read a tenant",
        tag=TAG,
        serve=get_tenant,
        answers={200: TenantOut},
        has_etag=True,
        problems=("not_found",),
    ),
    Endpoint(
        method="PATCH",
        path=TENANT_PATH,
        name="patch_tenant",
        summary="Rename a tenant, or name the account that pays for its storage",
        tag=TAG,
        serve=patch_tenant,
        body=TenantPatch,
        answers={200: TenantOut},
        has_etag=True,
        needs_match=True,
        problems=("not_found",),
    ),
)
