"""Rate decks: uploaded as CSV, kept by version, and quoted from."""

from collections.abc import Sequence

from api import limits
from api.endpoint import CSV, Answer, Call, Endpoint
from api.problems import FieldError, RequestError
from api.routes import lists
from api.schemas.base import Page, PageQuery
from api.schemas.rate_decks import (
    DeckOut,
    DeckUpload,
    DeckVersionOut,
    UsageQuoteIn,
    UsageQuoteOut,
)
from billing.domain.account import require_id
from billing.domain.errors import NoRateDeckError, NotFoundError
from billing.domain.rating import choose_deck
from billing.domain.units import Unit
from billing.ports import DeckVersion
from billing.services.upload_deck import NewDeck

TAG = "Rate decks"
PATH = "/v1/rate-decks"
DECK_PATH = f"{PATH}/{{deck}}"


def put_deck(call: Call) -> Answer:
    query = call.query_as(DeckUpload)
    version, is_new = call.talktime.upload_deck.upload(
        NewDeck(
            deck_id=require_id(call.path["deck"], "deck"),
            content=call.content,
            currency=query.currency,
            effective_at=query.effective_at,
            rounding=query.rounding,
            decimals=query.decimals,
            is_draft=not query.activate,
        )
    )
    return Answer(201 if is_new else 200, DeckVersionOut.of(version))


def list_decks(call: Call) -> Answer:
    after = lists.position(call)
    decks = call.talktime.decks
    ids = [deck for deck in decks.deck_ids() if after is None or deck > str(after)]
    found = [(deck, decks.uploaded(deck)) for deck in ids[: lists.limit(call) + 1]]
    return lists.page(
        call,
        [(deck, versions) for deck, versions in found if versions],
        lambda item: _deck(call, item[1]),
        lambda item: item[0],
    )


def get_deck(call: Call) -> Answer:
    return Answer(200, _deck(call, _versions(call)))


def list_versions(call: Call) -> Answer:
    before = lists.position(call)
    newest = [
        version
        for version in reversed(_versions(call))
        if not isinstance(before, int) or version.version < before
    ]
    return lists.page(
        call,
        newest[: lists.limit(call) + 1],
        DeckVersionOut.of,
        lambda version: version.version,
    )


def quote_usage(call: Call) -> Answer:
    asked = call.body_as(UsageQuoteIn)
    unit, quantity = _quantity(asked)
    quote = call.talktime.quote_usage.quote(
        call.path["deck"],
        unit=unit,
        direction=asked.direction,
        e164=asked.to or "",
        quantity=quantity,
        answered_at=asked.answered_at,
    )
    return Answer(200, UsageQuoteOut.of(asked, quote.rated, quote.answered_at, quote.currency))


def _quantity(asked: UsageQuoteIn) -> tuple[Unit, int]:
    given = {
        Unit.VOICE_SECONDS: asked.duration_seconds,
        Unit.MESSAGES: asked.messages,
    }
    if asked.unit is not None and asked.unit.is_own:
        given[asked.unit] = asked.quantity
    elif asked.quantity is not None:
        raise RequestError(
            "invalid_input",
            "A quantity is of a unit that is neither voice_seconds nor messages.",
            errors=[FieldError("/quantity", "names no unit of its own")],
        )
    elif asked.to is None:
        raise RequestError(
            "invalid_input",
            "A call or a message goes to a number.",
            errors=[FieldError("/to", "is missing")],
        )
    found = [(unit, quantity) for unit, quantity in given.items() if quantity is not None]
    if len(found) != 1 or asked.unit not in (None, found[0][0]):
        raise RequestError(
            "invalid_input",
            "Send duration_seconds for a call, messages for messages, or quantity and its unit.",
            errors=[FieldError("/duration_seconds", "exactly one of the three, as the unit says")],
        )
    return found[0]


def _versions(call: Call) -> Sequence[DeckVersion]:
    versions = call.talktime.decks.uploaded(call.path["deck"])
    if not versions:
        raise NotFoundError("no such deck")
    return versions


def _deck(call: Call, versions: Sequence[DeckVersion]) -> DeckOut:
    try:
        active = [version for version in versions if not version.is_draft]
        current = choose_deck(active, call.talktime.clock.now())
    except NoRateDeckError:
        current = None
    return DeckOut(
        deck=versions[-1].deck_id,
        current=DeckVersionOut.of(current) if current else None,
        latest=DeckVersionOut.of(versions[-1]),
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=PATH,
        name="list_rate_decks",
        summary="List rate decks",
        tag=TAG,
        serve=list_decks,
        query=PageQuery,
        answers={200: Page[DeckOut]},
    ),
    Endpoint(
        method="PUT",
        path=DECK_PATH,
        name="put_rate_deck",
        summary="Upload the next version of a rate deck",
        tag=TAG,
        serve=put_deck,
        query=DeckUpload,
        uploads=CSV,
        body_limit_bytes=limits.CSV_BYTES,
        answers={200: DeckVersionOut, 201: DeckVersionOut},
        problems=("conflict", "invalid_rate_deck"),
    ),
    Endpoint(
        method="GET",
        path=DECK_PATH,
        name="get_rate_deck",
        summary="Read which versions of a deck are current and newest",
        tag=TAG,
        serve=get_deck,
        answers={200: DeckOut},
        problems=("not_found",),
    ),
    Endpoint(
        method="GET",
        path=f"{DECK_PATH}/versions",
        name="list_rate_deck_versions",
        summary="List the versions of a deck, newest first",
        tag=TAG,
        serve=list_versions,
        query=PageQuery,
        answers={200: Page[DeckVersionOut]},
        problems=("not_found",),
    ),
    Endpoint(
        method="POST",
        path=f"{DECK_PATH}/quote",
        name="quote_usage",
        summary="Say what a call or message would cost, line by line; charges nothing",
        tag=TAG,
        serve=quote_usage,
        body=UsageQuoteIn,
        answers={200: UsageQuoteOut},
        problems=("not_found", "no_rate_deck", "destination_blocked", "destination_not_rated"),
    ),
)
