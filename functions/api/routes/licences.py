"""Licences: how many there are, who has them by name, and who may use them."""

from collections.abc import Iterator
from contextlib import contextmanager

from api import auth
from api.accepting import acceptance_of, by
from api.endpoint import Answer, Call, Endpoint
from api.licences_shown import licences_of
from api.routes import lists
from api.routes.accounts import ACCOUNT_PATH
from api.schemas.base import Page, PageQuery
from api.schemas.licences import AccessOut, AccessQuery, AssignIn, AssignmentOut, LicenceOut
from billing.domain.account import AccountRef
from billing.domain.audit import By
from billing.domain.errors import TalktimeError

TAG = "Licences"
PATH = f"{ACCOUNT_PATH}/licences"
KIND_PATH = f"{PATH}/{{kind}}"
ASSIGNMENTS_PATH = f"{KIND_PATH}/assignments"
ASSIGNMENT_PATH = f"{ASSIGNMENTS_PATH}/{{member}}"


@contextmanager
def in_path(*fields: str) -> Iterator[None]:
    """What the path names is no field of the request's body, or of its query."""
    try:
        yield
    except TalktimeError as error:
        if error.field in fields:
            error.field = None
        raise


def assign_path(ref: AccountRef, kind: str, member_id: str) -> str:
    """Where a licence is assigned, by ``PUT``."""
    return ASSIGNMENT_PATH.format(acct=ref.account_id, kind=kind, member=member_id)


def with_assign(ref: AccountRef, error: TalktimeError) -> TalktimeError:
    """The refusal of somebody who has no licence, with the path that assigns him one."""
    kind, member_id = error.members.get("licence"), error.members.get("member")
    if kind and member_id:
        error.members["assign"] = assign_path(ref, str(kind), str(member_id))
    return error


def list_licences(call: Call) -> Answer:
    after = str(lists.position(call) or "")
    rows = [row for row in licences_of(call, call.account()) if row.licence > after]
    return lists.page(call, rows[: lists.limit(call) + 1], lambda row: row, lambda row: row.licence)


def list_assignments(call: Call) -> Answer:
    after = lists.position(call)
    with in_path("licence"):
        found = call.talktime.read_licences.assignments(
            call.account(),
            call.path["kind"],
            None if after is None else str(after),
            lists.limit(call) + 1,
        )
    return lists.page(call, found, AssignmentOut.of, lambda one: one.member_id)


def put_assignment(call: Call) -> Answer:
    ref, kind, member_id = call.account(), call.path["kind"], call.path["member"]
    with in_path("licence", "member"):
        call.talktime.read_licences.entitlement(ref, kind, member_id)
        call.talktime.assign_licences.assign(ref, kind, member_id, _by(call))
        found = call.talktime.read_licences.assignment(ref, kind, member_id)
    return Answer(200, AssignmentOut.of(found))


def delete_assignment(call: Call) -> Answer:
    ref, kind, member_id = call.account(), call.path["kind"], call.path["member"]
    with in_path("licence", "member"):
        call.talktime.read_licences.entitlement(ref, kind, member_id)
        call.talktime.assign_licences.remove(ref, kind, member_id, _by(call))
    return Answer(204)


def get_access(call: Call) -> Answer:
    ref, member_id = call.account(), call.path["member"]
    kind = call.query_as(AccessQuery).licence
    with in_path("member"):
        found = call.talktime.read_licences.entitlement(ref, kind, member_id)
    return Answer(200, AccessOut.of(found, assign_path(ref, kind, member_id)))


def _by(call: Call) -> By:
    return by(call, acceptance_of(call, call.body_as(AssignIn).acceptance))


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=PATH,
        name="list_licences",
        summary="List kinds of licences: how many there are, assigned, leased now, and free",
        tag=TAG,
        serve=list_licences,
        roles=auth.EVERYONE,
        is_tenants=True,
        query=PageQuery,
        answers={200: Page[LicenceOut]},
        problems=("not_found",),
    ),
    Endpoint(
        method="GET",
        path=ASSIGNMENTS_PATH,
        name="list_assignments",
        summary="List the members that a kind of licence is assigned to",
        tag=TAG,
        serve=list_assignments,
        roles=auth.ADMINS,
        is_tenants=True,
        query=PageQuery,
        answers={200: Page[AssignmentOut]},
        problems=("not_found",),
    ),
    Endpoint(
        method="PUT",
        path=ASSIGNMENT_PATH,
        name="put_assignment",
        summary="Assign a licence to a member; one who has it keeps it",
        tag=TAG,
        serve=put_assignment,
        roles=auth.ADMINS,
        is_tenants=True,
        body=AssignIn,
        answers={200: AssignmentOut},
        problems=("not_found", "no_catalog", "acceptance_required", "no_licence_available"),
    ),
    Endpoint(
        method="DELETE",
        path=ASSIGNMENT_PATH,
        name="delete_assignment",
        summary="Take a licence away from a member; safe to repeat",
        tag=TAG,
        serve=delete_assignment,
        roles=auth.ADMINS,
        is_tenants=True,
        body=AssignIn,
        answers={204: None},
        problems=("not_found", "no_catalog", "acceptance_required"),
    ),
    Endpoint(
        method="GET",
        path=f"{ACCOUNT_PATH}/members/{{member}}/access",
        name="get_access",
        summary="May this member use a licence? If not, which assignment would let him",
        tag=TAG,
        serve=get_access,
        roles=auth.ADMINS,
        is_tenants=True,
        query=AccessQuery,
        answers={200: AccessOut},
        problems=("not_found",),
    ),
)
