"""Usage that could not be placed or priced: the operator sees why, fixes it, and posts it again."""

from api import etags
from api.endpoint import DEFAULT_ACCOUNT, Answer, Call, Endpoint
from api.routes import lists
from api.schemas.base import AccountName, Page
from api.schemas.quarantine import (
    DismissIn,
    FixIn,
    ParkedOut,
    ParkedQuery,
    ParkedRow,
    ReplayIn,
    ReplayOut,
)
from billing.domain.canonical import Json
from billing.domain.errors import InvalidInputError, NotFoundError
from billing.domain.quarantine import ACCOUNT, OPEN, Parked, ParkedState
from billing.services.read_quarantine import Wanted

TAG = "Quarantine"
PATH = "/v1/quarantine"
PARKED_PATH = f"{PATH}/{{id}}"


def list_quarantine(call: Call) -> Answer:
    query = call.query_as(ParkedQuery)
    after = lists.position(call)
    page = call.talktime.read_quarantine.find(
        Wanted(
            reason=query.reason,
            states=_states(query.state),
            tenant_id=query.tenant,
            account_id=query.account,
            connection_id=query.connection,
        ),
        None if after is None else str(after),
        lists.limit(call),
    )
    return lists.page_of(call, [ParkedOut.of(parked) for parked in page.items], page.after)


def get_parked(call: Call) -> Answer:
    return _answer(call.talktime.read_quarantine.get(call.path["id"]))


def patch_parked(call: Call) -> Answer:
    seen = call.talktime.read_quarantine.get(call.path["id"])
    call.precondition.require_version(seen.version)
    body = call.body_as(FixIn)
    changes: dict[str, Json] = body.changes()
    if ACCOUNT in body.model_fields_set:
        changes[ACCOUNT] = _account(call, body.account)
    return _answer(call.talktime.fix_parked.fix(seen, changes, call.actor.sub))


def dismiss_parked(call: Call) -> Answer:
    reason = call.body_as(DismissIn).reason
    return _answer(call.talktime.fix_parked.dismiss(call.path["id"], reason, call.actor.sub))


def replay_parked(call: Call) -> Answer:
    return _answer(call.talktime.replay_parked.replay(call.path["id"], call.actor.sub))


def replay_quarantine(call: Call) -> Answer:
    body = call.body_as(ReplayIn)
    cursors = call.talktime.cursors
    scope: Json = [call.endpoint.path, body.reason, body.connection]
    after = None if body.cursor is None else str(cursors.open(body.cursor, scope))
    done = call.talktime.replay_parked.replay_many(
        body.reason, body.connection, after, call.actor.sub
    )
    cursor = None if done.after is None else cursors.seal(done.after, scope)
    return Answer(200, ReplayOut.of(done, cursor))


def _states(state: str | None) -> frozenset[ParkedState]:
    if state is None:
        return frozenset()
    return OPEN if state == "open" else frozenset({ParkedState(state)})


def _account(call: Call, named: AccountName | None) -> Json:
    if named is None or named.account != DEFAULT_ACCOUNT:
        return [named.tenant, named.account] if named else None
    try:
        ref = call.talktime.first_account(named.tenant)
    except NotFoundError:
        raise InvalidInputError(f"tenant {named.tenant!r} has no account", field=ACCOUNT) from None
    return [ref.tenant_id, ref.account_id]


def _answer(parked: Parked) -> Answer:
    return Answer(200, ParkedOut.whole(parked), {"ETag": etags.etag(parked.version)})


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=PATH,
        name="list_quarantine",
        summary="List usage that could not be placed or priced, why, and what became of it",
        tag=TAG,
        serve=list_quarantine,
        query=ParkedQuery,
        answers={200: Page[ParkedOut]},
        csv_rows=ParkedRow,
    ),
    Endpoint(
        method="POST",
        path=f"{PATH}/replay",
        name="replay_quarantine",
        summary="Post again what waits for the same reason; go on while there is a next_cursor",
        tag=TAG,
        serve=replay_quarantine,
        body=ReplayIn,
        answers={200: ReplayOut},
        problems=("invalid_cursor",),
    ),
    Endpoint(
        method="GET",
        path=PARKED_PATH,
        name="get_parked",
        summary="Read what is parked",
        tag=TAG,
        serve=get_parked,
        answers={200: ParkedOut},
        has_etag=True,
        problems=("not_found",),
    ),
    Endpoint(
        method="PATCH",
        path=PARKED_PATH,
        name="patch_parked",
        summary="Fix the event, or say whose it is; nothing is posted before it is replayed",
        tag=TAG,
        serve=patch_parked,
        body=FixIn,
        answers={200: ParkedOut},
        has_etag=True,
        needs_match=True,
        problems=("not_found", "invalid_usage", "item_closed"),
    ),
    Endpoint(
        method="POST",
        path=f"{PARKED_PATH}/replay",
        name="replay_parked",
        summary="Post the event again; nothing is billed twice, and nothing corrected",
        tag=TAG,
        serve=replay_parked,
        answers={200: ParkedOut},
        has_etag=True,
        problems=("not_found", "account_not_mapped", "conflict", "invalid_usage", "item_closed"),
    ),
    Endpoint(
        method="POST",
        path=f"{PARKED_PATH}/dismiss",
        name="dismiss_parked",
        summary="Decide that it will never be posted, and why; it stays listed",
        tag=TAG,
        serve=dismiss_parked,
        body=DismissIn,
        answers={200: ParkedOut},
        has_etag=True,
        problems=("not_found", "conflict", "item_closed"),
    ),
)
