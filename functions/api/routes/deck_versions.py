"""Versions of a rate deck before they take effect: compared, tried, activated, and uploaded."""

import re

from api.endpoint import DEFAULT_ACCOUNT, Answer, Call, Endpoint
from api.routes.rate_decks import DECK_PATH, TAG
from api.schemas.deck_versions import (
    ActivationIn,
    DiffIn,
    DiffOut,
    PastUsageIn,
    UploadCompletion,
    UploadIn,
    UploadOfferOut,
)
from api.schemas.rate_decks import DeckVersionOut
from billing.domain.account import AccountRef, require_id
from billing.domain.errors import InvalidInputError, NotFoundError
from billing.services.diff_decks import PastUsage
from billing.services.upload_deck import NewDeck

VERSION_PATH = f"{DECK_PATH}/versions/{{v}}"
UPLOADS_PATH = f"{DECK_PATH}/uploads"

_NUMBER = re.compile(r"[1-9][0-9]{0,8}")


def diff_version(call: Call) -> Answer:
    body = call.body_as(DiffIn)
    found = call.talktime.diff_decks.diff(
        call.path["deck"],
        _number(call),
        body.against,
        _past(call, body.dry_run) if body.dry_run else None,
    )
    return Answer(200, DiffOut.of(found))


def activate_version(call: Call) -> Answer:
    version = call.talktime.activate_deck.activate(
        call.path["deck"], _number(call), call.body_as(ActivationIn).effective_at
    )
    return Answer(200, DeckVersionOut.of(version))


def post_upload(call: Call) -> Answer:
    deck_id = require_id(call.path["deck"], "deck")
    offer = call.talktime.deck_uploads.offer(deck_id, call.body_as(UploadIn).bytes)
    return Answer(201, UploadOfferOut.of(offer))


def complete_upload(call: Call) -> Answer:
    deck_id = require_id(call.path["deck"], "deck")
    body = call.body_as(UploadCompletion)
    version, is_new = call.talktime.upload_deck.upload(
        NewDeck(
            deck_id=deck_id,
            content=call.talktime.deck_uploads.content(deck_id, call.path["upload"]),
            currency=body.currency,
            effective_at=body.effective_at,
            rounding=body.rounding,
            decimals=body.decimals,
            is_draft=not body.activate,
        )
    )
    return Answer(201 if is_new else 200, DeckVersionOut.of(version))


def _number(call: Call) -> int:
    """
    Raises:
        NotFoundError: No version can have this number.
    """
    text = call.path["v"]
    if not _NUMBER.fullmatch(text):
        raise NotFoundError("no such version")
    return int(text)


def _past(call: Call, given: PastUsageIn) -> PastUsage:
    """Whose usage it is; a missing account is the body's fault, not the path's."""
    named = given.account
    try:
        ref = (
            call.talktime.first_account(named.tenant)
            if named.account == DEFAULT_ACCOUNT
            else call.talktime.book.account(AccountRef(named.tenant, named.account)).ref
        )
    except NotFoundError:
        raise InvalidInputError("there is no such account", field="dry_run/account") from None
    return PastUsage(ref, given.from_, given.to)


ENDPOINTS = (
    Endpoint(
        method="POST",
        path=f"{VERSION_PATH}/diff",
        name="diff_rate_deck",
        summary="Say what a version or draft would change, also on past usage; changes nothing",
        tag=TAG,
        serve=diff_version,
        body=DiffIn,
        answers={200: DiffOut},
        problems=("not_found", "no_rate_deck", "currency_mismatch"),
    ),
    Endpoint(
        method="POST",
        path=f"{VERSION_PATH}/activate",
        name="activate_rate_deck",
        summary="Let a draft take effect; again with the same date changes nothing",
        tag=TAG,
        serve=activate_version,
        body=ActivationIn,
        answers={200: DeckVersionOut},
        problems=("not_found", "conflict"),
    ),
    Endpoint(
        method="POST",
        path=UPLOADS_PATH,
        name="post_rate_deck_upload",
        summary="Get a signed address for a deck that is larger than a request",
        tag=TAG,
        serve=post_upload,
        body=UploadIn,
        answers={201: UploadOfferOut},
    ),
    Endpoint(
        method="POST",
        path=f"{UPLOADS_PATH}/{{upload}}/complete",
        name="complete_rate_deck_upload",
        summary="Take the uploaded file over as the next version, or as a draft",
        tag=TAG,
        serve=complete_upload,
        body=UploadCompletion,
        answers={200: DeckVersionOut, 201: DeckVersionOut},
        problems=("not_found", "conflict", "invalid_rate_deck"),
    ),
)
