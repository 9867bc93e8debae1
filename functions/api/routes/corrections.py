"""Corrections of single calls, by the operator."""

from dataclasses import replace

from api.accepting import audit_of
from api.endpoint import Answer, Call, Endpoint
from api.idempotency import Needs, body_hash
from api.problems import FieldError, RequestError
from api.routes.accounts import ACCOUNT_PATH
from api.schemas.corrections import CorrectionIn, CorrectionOut
from api.schemas.usage import CallOut
from billing.domain.usage import UsageEvent


def correct_call(call: Call) -> Answer:
    """The call is named in the body: ids of providers hold what no path can."""
    body = call.body_as(CorrectionIn)
    content = body.content()
    if not content:
        raise RequestError(
            "invalid_input",
            "Say what is corrected.",
            errors=[FieldError("", "at least one of quantity, to, direction, status and times")],
        )
    account = call.talktime.book.account(call.account())
    operation_id = call.operation_id(account.ref.account_id)
    asked = body.model_dump(mode="json", exclude_unset=True)
    audit = audit_of(call, account.ref, operation_id, "usage.corrected", None, asked)

    def amended(event: UsageEvent) -> UsageEvent:
        return replace(event, **content)

    corrected = call.talktime.correct_usage.amend(
        account.ref, body.key, amended, (operation_id, body_hash(body)), audit
    )
    answer = CorrectionOut(call=CallOut.of(corrected.call, account.currency))
    return Answer(200, answer, is_replayed=not corrected.is_new)


ENDPOINTS = (
    Endpoint(
        method="POST",
        path=f"{ACCOUNT_PATH}/corrections",
        name="correct_call",
        summary="Correct one recorded call: take it back, and charge it as it should have been",
        tag="Usage",
        serve=correct_call,
        is_tenants=True,
        body=CorrectionIn,
        key=Needs.REQUIRED,
        answers={200: CorrectionOut},
        problems=(
            "not_found",
            "invalid_usage",
            "destination_not_rated",
            "destination_blocked",
            "no_rate_deck",
            "currency_mismatch",
        ),
    ),
)
