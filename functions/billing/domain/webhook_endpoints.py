"""Where a tenant wants its events: endpoints of its own, each with the types it asks for.

Source:
    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import SplitResult, urlsplit

from billing.domain.account import AccountRef
from billing.domain.errors import InvalidInputError
from billing.domain.public_addresses import is_loopback, is_public, literal
from billing.domain.records import EventType

MAX_ENDPOINTS = 5
"""Of one account: every event is sent to each."""

MAX_URL_CHARACTERS = 1024

EVERY_TYPE = "*"

PORTS = frozenset({443, 8443})
"""Where HTTPS is at home; any other port is more likely something that is no web server."""

ROTATION = timedelta(hours=24)
"""How long the secret before signs as well: time to put the new one in everywhere."""

GONE = "gone"
"""Why an endpoint is disabled: it answered 410."""

_NAME = re.compile(
    r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?"
)
_URL = re.compile(r"[\x21-\x7e]+")
_INTERNAL = (".internal", ".intranet", ".local", ".localdomain", ".localhost", ".home.arpa")


@dataclass(frozen=True, slots=True)
class WebhookEndpoint:
    """One of a tenant's own URLs.

    Args:
        events: The types it gets; ``*`` stands for all there ever are.
        disabled_reason: Why we stopped; empty: nobody but the tenant did.
        rotated_at: When its secret was last replaced (aware UTC).
    """

    endpoint_id: str
    url: str
    events: tuple[str, ...]
    created_at: datetime
    description: str = ""
    is_enabled: bool = True
    disabled_reason: str = ""
    rotated_at: datetime | None = None

    def wants(self, event_type: str) -> bool:
        return self.is_enabled and (EVERY_TYPE in self.events or event_type in self.events)

    def old_secret_until(self, now: datetime) -> datetime | None:
        """Until when the secret before the last rotation signs too; None: it does not."""
        until = self.rotated_at + ROTATION if self.rotated_at else None
        return until if until and now < until else None


@dataclass(frozen=True, slots=True)
class WebhookEndpoints:
    """An account's endpoints, without their secrets, under one version; 0: never set."""

    account: AccountRef
    version: int = 0
    endpoints: tuple[WebhookEndpoint, ...] = ()

    def find(self, endpoint_id: str) -> WebhookEndpoint | None:
        return next((one for one in self.endpoints if one.endpoint_id == endpoint_id), None)


def check_events(events: Collection[str], field: str) -> None:
    """
    Raises:
        InvalidInputError: There is none, or one is no type of ours.
    """
    known = {EVERY_TYPE, *(type_.value for type_ in EventType)}
    unknown = sorted(set(events) - known)
    if not events or unknown:
        named = f"{unknown[0][:64]!r} is no event type" if unknown else "name an event type, or *"
        raise InvalidInputError(named, field=field)


def check_url(url: str, field: str, *, is_local: bool = False) -> None:
    """Refuse a URL that can only be wrong. What its name leads to shows at every connection anew.

    Args:
        is_local: On the local stage plain HTTP, any port and this machine are allowed as well.

    Raises:
        InvalidInputError: Says what is wrong with it.
    """

    def refuse(why: str) -> InvalidInputError:
        return InvalidInputError(f"the URL {why}", field=field)

    if len(url) > MAX_URL_CHARACTERS or not _URL.fullmatch(url):
        raise refuse(f"is at most {MAX_URL_CHARACTERS} characters of ASCII without blanks")
    if "\\" in url:
        # Browsers read it as a slash, and others do not: the host must have one reading.
        raise refuse("has no backslash")
    parts = _split(url)
    if parts is None:
        raise refuse("cannot be read")
    if parts.scheme != "https" and not (is_local and parts.scheme == "http"):
        raise refuse("begins with https://")
    if "@" in parts.netloc:
        raise refuse("holds no credentials: webhooks are signed")
    if "#" in url:
        raise refuse("has no fragment")
    if not is_local and (parts.port or 443) not in PORTS:
        raise refuse(f"names no port but {' or '.join(map(str, sorted(PORTS)))}")
    if not _is_public_host(parts.hostname or "") and not (
        is_local and _is_this_machine(parts.hostname or "")
    ):
        raise refuse("names a host on the public internet, in ASCII")


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        # Reading it is what checks it.
        assert parts.port is None or parts.port >= 0
    except ValueError:
        return None
    # An empty port is a port to some readers, and none to others.
    return None if parts.netloc.endswith(":") or parts.port == 0 else parts


def _is_public_host(host: str) -> bool:
    """A public address, or a name that may lead to one.

    A name has a dot, and its last part begins with a letter, so that no other way to write an
    address (``127.1``, ``0x7f.1``) passes for one.
    """
    if literal(host) is not None:
        return is_public(host)
    return _NAME.fullmatch(host) is not None and not host.endswith(_INTERNAL)


def _is_this_machine(host: str) -> bool:
    return host == "localhost" or is_loopback(host)
