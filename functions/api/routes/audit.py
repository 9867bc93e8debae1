"""Who changed what of an account, when, from where, and who agreed."""

from datetime import datetime

from api import auth
from api.endpoint import Answer, Call, Endpoint
from api.problems import RequestError
from api.routes import lists
from api.routes.accounts import ACCOUNT_PATH
from api.schemas.audit import AuditOut, AuditQuery
from api.schemas.base import Page
from billing.ports import AuditPosition
from billing.services.list_audit import AuditFilter


def list_audit(call: Call) -> Answer:
    query = call.query_as(AuditQuery)
    page = call.talktime.list_audit.list(
        call.account(),
        AuditFilter(query.from_, query.to, query.action, query.actor),
        _before(call),
        lists.limit(call),
    )
    following = None if page.next is None else [page.next[0].isoformat(), page.next[1]]
    return lists.page_of(call, [AuditOut.of(record) for record in page.records], following)


def _before(call: Call) -> AuditPosition | None:
    match lists.position(call):
        case None:
            return None
        case [str(at), str(operation_id)]:
            return datetime.fromisoformat(at), operation_id
    raise RequestError("invalid_cursor", "This cursor belongs to another list.")


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=f"{ACCOUNT_PATH}/audit",
        name="list_audit",
        summary="List who changed what, newest first: when, from where, before and after",
        tag="Accounts",
        serve=list_audit,
        roles=auth.ADMINS,
        is_tenants=True,
        query=AuditQuery,
        machine_ids=frozenset({"/actor"}),
        answers={200: Page[AuditOut]},
        csv_rows=AuditOut,
        problems=("not_found",),
    ),
)
