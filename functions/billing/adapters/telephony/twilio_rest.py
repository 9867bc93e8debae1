"""Twilio's own list of calls and messages.

Sources:
    https://www.twilio.com/docs/voice/api/call-resource#read-multiple-call-resources
    https://www.twilio.com/docs/messaging/api/message-resource#read-multiple-message-resources
    twilio-python 9.13, ``twilio/rest/api/v2010/account/{call,message}``
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from billing.adapters.telephony import cxml
from billing.adapters.telephony.fields import (
    UnreadableFieldError,
    count,
    identifier,
    kept,
    number,
    required,
    rfc_2822,
    text,
)
from billing.adapters.telephony.json_rest import JsonRest
from billing.domain.callbacks import Ignored, Unreadable
from billing.domain.errors import InvalidUsageError, ProviderRefusedError, ProviderUnavailableError
from billing.domain.provider_records import ListedCost, ProviderRecord, RecordsPage
from billing.domain.units import Direction, Unit
from billing.domain.usage import CallKey, CallStatus, UsageEvent
from billing.ports import Connection

PROVIDER = "twilio"

PAGE_SIZE = 1000
"""The most that Twilio gives (2026)."""

MAX_CREDENTIALS = 10
"""Tried for one account before giving up: a wrong token must not become a hail of refusals."""

CALLS, MESSAGES = "Calls", "Messages"

Credentials = tuple[str, str]

ANY_ACCOUNT = ""

CALL_DIRECTIONS = {
    **cxml.DIRECTIONS,
    # Elastic SIP Trunking: named from Twilio's side, whose network the call ends or begins in.
    "trunking-originating": Direction.INBOUND,
    "trunking-terminating": Direction.OUTBOUND,
}

MESSAGE_DIRECTIONS = {
    "inbound": Direction.INBOUND,
    "outbound-api": Direction.OUTBOUND,
    "outbound-call": Direction.OUTBOUND,
    "outbound-reply": Direction.OUTBOUND,
}

MESSAGE_STATUSES = {
    **{status: outcome for status, (_, outcome) in cxml.MESSAGE_STATUSES.items()},
    # Later news of one that was delivered, which no callback brings unless it is asked for.
    "read": CallStatus.COMPLETED,
    "partially_delivered": CallStatus.COMPLETED,
}

KEPT = (
    "account_sid",
    "date_created",
    "date_sent",
    "date_updated",
    "direction",
    "duration",
    "end_time",
    "from",
    "num_segments",
    "price",
    "price_unit",
    "sid",
    "start_time",
    "status",
    "to",
)
"""All that is ever read, and kept of what cannot be; never the text of a message."""

_PRICE = re.compile(r"-?([0-9]{1,9}(?:\.[0-9]{1,12})?)")
_CURRENCY = re.compile(r"[A-Za-z]{3}")
_SID = re.compile(r"[A-Za-z0-9]{1,64}")


class TwilioRecords:
    """Calls, then messages, newest first, as Twilio pages them.

    An account is asked as itself with the connection's secrets, and where Twilio does not take
    that, as one of the connection's other accounts: a sub-account may be read with its parent's
    token.
    """

    def __init__(self, rest: JsonRest) -> None:
        self._rest = rest
        self._working: dict[tuple[str, str], Credentials] = {}

    def page(
        self,
        connection: Connection,
        provider_account: str,
        begin_at: datetime,
        end_at: datetime,
        cursor: str | None,
    ) -> RecordsPage:
        if not _SID.fullmatch(provider_account):
            raise ProviderRefusedError(f"{provider_account!r} is not an account SID")
        if cursor is None:
            cursor = _first(provider_account, CALLS, begin_at, end_at)
        resource = _resource(provider_account, cursor)
        if resource is None:
            raise ProviderUnavailableError("a page's address leads away from the list")
        body = self._get(connection, provider_account, cursor)
        records = body.get(resource.lower())
        if not isinstance(records, list) or not all(isinstance(one, dict) for one in records):
            raise ProviderUnavailableError(f"a page holds no list of {resource.lower()}")
        next_page = self._next(provider_account, resource, body)
        if next_page is None and resource == CALLS:
            next_page = _first(provider_account, MESSAGES, begin_at, end_at)
        account, conn = provider_account, connection.connection_id
        return RecordsPage(
            tuple(_record(resource, account, conn, one) for one in records), next_page
        )

    def _next(self, account: str, resource: str, body: Mapping[str, Any]) -> str | None:
        """The next page's path; it may only lead on within the same list."""
        uri = body.get("next_page_uri")
        if uri is None or uri == "":
            return None
        if not isinstance(uri, str) or _resource(account, uri) != resource:
            raise ProviderUnavailableError("next_page_uri leads away from the list")
        return uri

    def _get(self, connection: Connection, account: str, path: str) -> dict[str, Any]:
        refusal = ProviderRefusedError("the connection has no secret")
        for username, password in self._credentials(connection, account):
            try:
                body = self._rest.get(path, username, password)
            except ProviderRefusedError as error:
                # Unknown here, or not this account's to see: another of the credentials may do.
                if error.status not in (401, 403, 404):
                    raise
                refusal = error
            else:
                self._working[connection.connection_id, account] = (username, password)
                self._working[connection.connection_id, ANY_ACCOUNT] = (username, password)
                return body
        raise refusal

    def _credentials(self, connection: Connection, account: str) -> list[Credentials]:
        """What worked for this account, its own, what worked for another, all others."""

        def of(name: str) -> list[Credentials]:
            return [(name, secret) for secret in connection.secrets]

        others = [pair for name in sorted(connection.accounts) for pair in of(name)]
        allowed = {*of(account), *others}
        tried = [
            self._working.get((connection.connection_id, account)),
            *of(account),
            self._working.get((connection.connection_id, ANY_ACCOUNT)),
            *others,
        ]
        # A secret that was replaced is not tried again.
        distinct = dict.fromkeys(pair for pair in tried if pair in allowed)
        return [pair for pair in distinct if pair is not None][:MAX_CREDENTIALS]


def _first(account: str, resource: str, begin_at: datetime, end_at: datetime) -> str:
    # ``StartTime>=`` is, in a query, a parameter named ``StartTime>``.
    name = "StartTime" if resource == CALLS else "DateSent"
    query = {
        f"{name}>": f"{begin_at:%Y-%m-%dT%H:%M:%SZ}",
        f"{name}<": f"{end_at:%Y-%m-%dT%H:%M:%SZ}",
        "PageSize": str(PAGE_SIZE),
    }
    return f"{_path(account, resource)}?{urlencode(query)}"


def _path(account: str, resource: str) -> str:
    return f"/2010-04-01/Accounts/{account}/{resource}.json"


def _resource(account: str, uri: str) -> str | None:
    """Which of the account's lists an address belongs to; None: none of them."""
    if not uri.isascii() or not uri.isprintable():
        return None
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    if parts.scheme or parts.netloc or parts.fragment:
        return None
    return next((name for name in (CALLS, MESSAGES) if parts.path == _path(account, name)), None)


def _record(
    resource: str, account: str, connection_id: str, fields: Mapping[str, Any]
) -> ProviderRecord:
    """One record. Whatever cannot be read is one that cannot, and the others go on."""
    call_id, began_at = "", None
    try:
        call_id = identifier(fields, "sid", reason="invalid_sid")
        if identifier(fields, "account_sid", reason="invalid_sid") != account:
            raise UnreadableFieldError("invalid_sid", "account_sid is another account's")
        begun = "start_time" if resource == CALLS else "date_sent"
        began_at = rfc_2822(fields, begun) if text(fields, begun) else None
        key = CallKey(PROVIDER, account, call_id)
        read = _call if resource == CALLS else _message
        content = read(key, connection_id, fields)
        return ProviderRecord(call_id, began_at, content, _cost(fields))
    except UnreadableFieldError as error:
        reason, detail = error.reason, error.detail
    except InvalidUsageError as error:
        reason, detail = error.code, error.detail
    unreadable = Unreadable(reason, detail, account, kept(fields, KEPT))
    return ProviderRecord(call_id, began_at, unreadable)


def _call(key: CallKey, connection_id: str, fields: Mapping[str, Any]) -> UsageEvent | Ignored:
    status = cxml.CALL_STATUSES.get(text(fields, "status"))
    if status is None:
        return Ignored("call_not_ended")
    is_completed = status is CallStatus.COMPLETED
    seconds = count(fields, "duration") if is_completed else 0
    ended_at = _first_time(fields, "end_time") if is_completed else _ended(fields, "start_time")
    if is_completed and seconds > (ended_at - rfc_2822(fields, "start_time")).total_seconds() + 1:
        raise UnreadableFieldError("invalid_quantity", "duration is longer than the call")
    return UsageEvent(
        key=key,
        unit=Unit.VOICE_SECONDS,
        direction=_direction(fields, CALL_DIRECTIONS),
        from_number=number(fields, "from"),
        to_number=required(number(fields, "to"), "to"),
        status=status,
        quantity=seconds,
        # As in the callback, so that both choose the same version of a deck.
        answered_at=ended_at - timedelta(seconds=seconds) if is_completed else None,
        ended_at=ended_at,
        connection_id=connection_id,
    )


def _message(key: CallKey, connection_id: str, fields: Mapping[str, Any]) -> UsageEvent | Ignored:
    outcome = MESSAGE_STATUSES.get(text(fields, "status"))
    if outcome is None:
        return Ignored("message_not_sent")
    quantity = max(1, count(fields, "num_segments")) if outcome is CallStatus.COMPLETED else 0
    sent_at = rfc_2822(fields, "date_sent") if quantity else _ended(fields, "date_sent")
    return UsageEvent(
        key=key,
        unit=Unit.MESSAGES,
        direction=_direction(fields, MESSAGE_DIRECTIONS),
        from_number=number(fields, "from"),
        to_number=required(number(fields, "to"), "to"),
        status=outcome,
        quantity=quantity,
        answered_at=sent_at if quantity else None,
        ended_at=sent_at,
        connection_id=connection_id,
    )


def _direction(fields: Mapping[str, Any], directions: Mapping[str, Direction]) -> Direction:
    direction = directions.get(text(fields, "direction"))
    if direction is None:
        raise UnreadableFieldError("invalid_direction", "direction is missing or unknown")
    return direction


def _ended(fields: Mapping[str, Any], begun: str) -> datetime:
    """When something came to nothing: it may have neither an end nor a beginning."""
    return _first_time(fields, "end_time", begun, "date_updated", "date_created")


def _first_time(fields: Mapping[str, Any], *names: str) -> datetime:
    return rfc_2822(fields, next((name for name in names if text(fields, name)), names[0]))


def _cost(fields: Mapping[str, Any]) -> ListedCost | None:
    """Twilio writes a charge as a negative number, and nothing until it has rated the call."""
    price = text(fields, "price")
    if not price:
        return None
    amount, currency = _PRICE.fullmatch(price), text(fields, "price_unit")
    if amount is None or not _CURRENCY.fullmatch(currency):
        raise UnreadableFieldError("invalid_price", "price is no decimal with a currency")
    return ListedCost(amount[1], currency.upper())
