"""Members: the persons of a tenant, and which of its accounts pays for their units."""

from api import auth, etags
from api.accepting import acceptance_of, by
from api.endpoint import DEFAULT_ACCOUNT, Answer, Call, Endpoint
from api.idempotency import OPERATION_PREFIX, Needs, body_hash, require_answer
from api.routes import lists
from api.schemas.base import Page
from api.schemas.members import MemberIn, MemberOut, MemberPatch, MemberQuery, MemberRemoval
from billing.domain.account import AccountRef
from billing.domain.errors import NotFoundError
from billing.domain.members import Amendment, Member, MemberRole, MemberState
from billing.ports import AlreadyRecordedError
from billing.services.change_account import recorded_error
from billing.services.change_members import NewMember

TAG = "Members"
PATH = "/v1/members"
MEMBER_PATH = f"{PATH}/{{member}}"

ME = "me"
MEMBER_PREFIX = "mem_"
_MEMBER_DIGITS = 20
_LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")
"""An id of a member is of letters alone: no digits of it could be taken for a card's."""

_MACHINE_IDS = frozenset({"/subject"})
"""Identity providers make subjects of long numbers."""


def list_members(call: Call) -> Answer:
    after = lists.position(call)
    state = call.query_as(MemberQuery).state
    found = call.talktime.members.listed(
        call.tenant,
        None if after is None else str(after),
        MemberState(state) if state else None,
        lists.limit(call) + 1,
    )
    return lists.page(call, found, MemberOut.of, lambda member: member.member_id)


def post_member(call: Call) -> Answer:
    """Whatever is answered is read from the operation, the first time as later."""
    body = call.body_as(MemberIn)
    ref = _account(call, body.account)
    # Of no account: one key is one member, whichever account is to pay for him.
    operation_id = call.operation_id("")
    book = call.talktime.book
    is_replayed = False
    try:
        recorded = book.operation(ref, operation_id)
        if recorded is not None:
            # Before the acceptance: the terms may be newer than the first request.
            raise recorded_error(recorded, body_hash(body))
        _enrol(call, ref, operation_id)
    except AlreadyRecordedError:
        is_replayed = True
    recorded = book.operation(ref, operation_id)
    assert recorded is not None, "a request that was not refused is recorded"
    if is_replayed:
        require_answer(recorded, call.talktime.clock.now())
    shown = MemberOut.recorded(recorded.answer)
    location = call.url(f"{PATH}/{shown.member}")
    return Answer(201, shown, {"Location": location}, is_replayed=is_replayed)


def member_id_of(operation_id: str) -> str:
    digits = operation_id.removeprefix(OPERATION_PREFIX)[:_MEMBER_DIGITS]
    return MEMBER_PREFIX + digits.translate(_LETTERS)


def _enrol(call: Call, ref: AccountRef, operation_id: str) -> None:
    body = call.body_as(MemberIn)
    wanted = NewMember(
        account=ref,
        member_id=member_id_of(operation_id),
        email=body.email,
        first_name=body.first_name,
        last_name=body.last_name,
        role=MemberRole(body.role),
        state=MemberState(body.state),
        subject=body.subject,
    )
    call.talktime.change_members.enrol(
        wanted,
        operation_id=operation_id,
        body_hash=body_hash(body),
        by=by(call, acceptance_of(call, body.acceptance)),
    )


def _account(call: Call, account_id: str) -> AccountRef:
    """The account that pays, which must be there.

    Raises:
        NotFoundError: The tenant has none, or, naming the field, not that one.
    """
    if account_id == DEFAULT_ACCOUNT:
        return call.talktime.first_account(call.tenant)
    try:
        return call.talktime.book.account(AccountRef(call.tenant, account_id)).ref
    except NotFoundError as error:
        error.field = "account"
        raise


def get_member(call: Call) -> Answer:
    return _answer(_seen(call))


def patch_member(call: Call) -> Answer:
    body = call.body_as(MemberPatch)
    member = call.talktime.members.member(call.tenant, call.path["member"])
    call.precondition.require_version(member.revision)
    wanted = Amendment(
        email=body.email,
        subject=body.subject,
        first_name=body.first_name,
        last_name=body.last_name,
        role=MemberRole(body.role) if body.role else None,
        state=MemberState(body.state) if body.state else None,
    )
    changed = call.talktime.change_members.amend(
        call.tenant,
        member.member_id,
        wanted,
        seen_revision=member.revision,
        by=by(call, acceptance_of(call, body.acceptance)),
    )
    return _answer(changed)


def delete_member(call: Call) -> Answer:
    member = call.talktime.members.member(call.tenant, call.path["member"])
    acceptance = acceptance_of(call, call.body_as(MemberRemoval).acceptance)
    call.talktime.change_members.deactivate(call.tenant, member.member_id, by(call, acceptance))
    return Answer(204)


def _seen(call: Call) -> Member:
    """The member of the path, if the caller may see him: who is no admin sees himself.

    Raises:
        NotFoundError: There is no such member, for him.
    """
    members, wanted = call.talktime.members, call.path["member"]
    if wanted != ME and call.actor.sees_money:
        return members.member(call.tenant, wanted)
    himself = members.of_subject(call.tenant, call.actor.sub)
    if wanted not in (ME, himself.member_id):
        raise NotFoundError("there is no such member")
    return himself


def _answer(member: Member) -> Answer:
    return Answer(200, MemberOut.of(member), {"ETag": etags.etag(member.revision)})


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=PATH,
        name="list_members",
        summary="List the tenant's members",
        tag=TAG,
        serve=list_members,
        roles=auth.ADMINS,
        is_tenants=True,
        query=MemberQuery,
        answers={200: Page[MemberOut]},
    ),
    Endpoint(
        method="POST",
        path=PATH,
        name="post_member",
        summary="Invite a member, or add one who is there already",
        tag=TAG,
        serve=post_member,
        roles=auth.ADMINS,
        is_tenants=True,
        body=MemberIn,
        machine_ids=_MACHINE_IDS,
        key=Needs.REQUIRED,
        answers={201: MemberOut},
        problems=(
            "not_found",
            "no_catalog",
            "acceptance_required",
            "idempotency_key_expired",
            "member_exists",
        ),
    ),
    Endpoint(
        method="GET",
        path=MEMBER_PATH,
        name="get_member",
        summary="Read a member; me is whoever asks, and who is no admin sees himself alone",
        tag=TAG,
        serve=get_member,
        roles=auth.EVERYONE,
        is_tenants=True,
        answers={200: MemberOut},
        has_etag=True,
        problems=("not_found",),
    ),
    Endpoint(
        method="PATCH",
        path=MEMBER_PATH,
        name="patch_member",
        summary="Change a member's role, state, name, address or subject",
        tag=TAG,
        serve=patch_member,
        roles=auth.ADMINS,
        is_tenants=True,
        body=MemberPatch,
        machine_ids=_MACHINE_IDS,
        answers={200: MemberOut},
        has_etag=True,
        needs_match=True,
        problems=("not_found", "no_catalog", "acceptance_required", "last_admin", "member_exists"),
    ),
    Endpoint(
        method="DELETE",
        path=MEMBER_PATH,
        name="delete_member",
        summary="Deactivate a member; the record stays, and he can be brought back",
        tag=TAG,
        serve=delete_member,
        roles=auth.ADMINS,
        is_tenants=True,
        body=MemberRemoval,
        answers={204: None},
        problems=("not_found", "no_catalog", "acceptance_required", "last_admin"),
    ),
)
