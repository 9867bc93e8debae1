"""Re-rating: a range of calls at another version of a deck, as a dry run or for good."""

from api import idempotency
from api.accepting import audit_of
from api.endpoint import Answer, Call, Endpoint
from api.problems import RequestError
from api.routes.accounts import ACCOUNT_PATH
from api.schemas.rerating import RerateIn, RerateOut
from billing.domain.canonical import Json
from billing.domain.records import AuditRecord
from billing.services.list_usage import Position
from billing.services.rerate_usage import FIRST, Place, Rerated, Rerating


def rerate_usage(call: Call) -> Answer:
    body = call.body_as(RerateIn)
    ref = call.account()
    rerating = Rerating(ref, body.from_, body.to, body.deck, body.version)
    scope = _scope(call, body)
    start = _start(call, body, scope)
    service = call.talktime.rerate_usage
    if body.dry_run:
        rerated = service.dry_run(rerating, start)
    else:
        rerated = _applied(call, body, rerating, start)
    following = (
        None if rerated.next is None else call.talktime.cursors.seal(_sealed(rerated.next), scope)
    )
    return Answer(200, RerateOut.of(body, rerated, following), is_replayed=rerated.replayed)


def _applied(call: Call, body: RerateIn, rerating: Rerating, start: Place) -> Rerated:
    # A dry run takes no key, and only the body says which of the two this is.
    idempotency.key_of(call.headers, idempotency.Needs.REQUIRED)
    ref = rerating.ref
    asked = body.model_dump(mode="json", by_alias=True, exclude={"cursor", "dry_run"})

    def audit(operation_id: str) -> AuditRecord:
        return audit_of(call, ref, operation_id, "usage.rerated", None, asked)

    return call.talktime.rerate_usage.apply(
        rerating, call.operation_id(ref.account_id), audit, start
    )


def _scope(call: Call, body: RerateIn) -> Json:
    """A cursor belongs to one range and deck; what was tried dry goes on dry."""
    return [call.cursor_scope(), body.model_dump(mode="json", exclude={"cursor"})]


def _start(call: Call, body: RerateIn, scope: Json) -> Place:
    if body.cursor is None:
        return FIRST
    match call.talktime.cursors.open(body.cursor, scope):
        case [int(step), int(sequence), int(index)]:
            return Place(step, Position(sequence, index))
    raise RequestError("invalid_cursor", "This cursor belongs to another list.")


def _sealed(place: Place) -> Json:
    return [place.step, place.position.sequence, place.position.index]


ENDPOINTS = (
    Endpoint(
        method="POST",
        path=f"{ACCOUNT_PATH}/rerate",
        name="rerate_usage",
        summary="Re-rate posted calls at a version of a deck; as a dry run, nothing is changed",
        tag="Usage",
        serve=rerate_usage,
        is_tenants=True,
        body=RerateIn,
        key=idempotency.Needs.OPTIONAL,
        answers={200: RerateOut},
        problems=(
            "idempotency_key_required",
            "invalid_cursor",
            "not_found",
            "no_rate_deck",
            "currency_mismatch",
        ),
    ),
)
