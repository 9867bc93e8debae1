"""Set where an account's events go, and with which secrets they are signed."""

import base64
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from billing.domain.account import AccountRef
from billing.domain.audit import By
from billing.domain.canonical import Json
from billing.domain.errors import InvalidInputError
from billing.domain.webhook_endpoints import (
    MAX_ENDPOINTS,
    WebhookEndpoint,
    WebhookEndpoints,
    check_events,
    check_url,
)
from billing.ports import Clock, EndpointStore

SECRET_BYTES = 32
"""Standard Webhooks asks for 24 to 64."""


def new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def new_id() -> str:
    return "whe_" + secrets.token_hex(8)


@dataclass(frozen=True, slots=True)
class WantedEndpoint:
    """What an endpoint shall be.

    Args:
        endpoint_id: None: it is a new one.
        rotates_secret: Give it a new secret; the one before signs as well for a day.
    """

    endpoint_id: str | None
    url: str
    events: tuple[str, ...]
    description: str = ""
    is_enabled: bool = True
    rotates_secret: bool = False


class SaveWebhookEndpoints:
    """Replaces the list. What it leaves out is gone, with its secrets.

    Args:
        is_local: Whether this is the local stage, where plain HTTP and this machine are allowed.
    """

    def __init__(
        self,
        endpoints: EndpointStore,
        clock: Clock,
        *,
        is_local: bool,
        new_secret: Callable[[], str] = new_secret,
        new_id: Callable[[], str] = new_id,
    ) -> None:
        self._endpoints = endpoints
        self._clock = clock
        self._is_local = is_local
        self._new_secret = new_secret
        self._new_id = new_id

    def save(
        self, ref: AccountRef, wanted: Sequence[WantedEndpoint], seen: WebhookEndpoints, by: By
    ) -> tuple[WebhookEndpoints, dict[str, str]]:
        """Store the list, if ``seen`` is still current.

        Returns:
            The new settings; and the secrets that are new, by endpoint: they are never told again.

        Raises:
            InvalidInputError: Names the field.
            ConflictError: Somebody else changed it since.
        """
        if len(wanted) > MAX_ENDPOINTS:
            raise InvalidInputError(
                f"an account has at most {MAX_ENDPOINTS} endpoints", field="endpoints"
            )
        now = self._clock.now()
        before = self._endpoints.secrets(ref) if seen.endpoints else {}
        saved: list[WebhookEndpoint] = []
        kept: dict[str, Sequence[str]] = {}
        told: dict[str, str] = {}
        for place, one in enumerate(wanted):
            endpoint = self._endpoint(one, place, seen, now)
            if endpoint.endpoint_id in kept:
                raise InvalidInputError("this endpoint is named twice", field=_id_of(place))
            name, old = endpoint.endpoint_id, tuple(before.get(endpoint.endpoint_id, ()))
            if one.rotates_secret or not old:
                told[name] = self._new_secret()
                kept[name] = (told[name], *old[:1])
            else:
                kept[name] = old if endpoint.old_secret_until(now) else old[:1]
            saved.append(endpoint)
        settings = WebhookEndpoints(ref, seen.version + 1, tuple(saved))
        audit = by.audit(
            ref,
            # The version makes it this change and no other.
            f"{ref.account_id}/webhook-endpoints/{settings.version}",
            "webhook_endpoints.set",
            before=_shown(seen),
            after=_shown(settings),
            at=now,
        )
        self._endpoints.save(settings, kept, audit)
        return settings, told

    def _endpoint(
        self, wanted: WantedEndpoint, place: int, seen: WebhookEndpoints, now: datetime
    ) -> WebhookEndpoint:
        check_url(wanted.url, f"endpoints/{place}/url", is_local=self._is_local)
        check_events(wanted.events, f"endpoints/{place}/events")
        found = None
        if wanted.endpoint_id is not None:
            found = seen.find(wanted.endpoint_id)
            if found is None:
                raise InvalidInputError("there is no such endpoint", field=_id_of(place))
        if found is None:
            found = WebhookEndpoint(self._new_id(), wanted.url, (), now)
        elif wanted.rotates_secret:
            found = replace(found, rotated_at=now)
        return replace(
            found,
            url=wanted.url,
            events=tuple(dict.fromkeys(wanted.events)),
            description=wanted.description,
            is_enabled=wanted.is_enabled,
            disabled_reason="" if wanted.is_enabled else found.disabled_reason,
        )


def _shown(settings: WebhookEndpoints) -> dict[str, Json]:
    """The settings as the audit keeps them: never with a secret, but with when it was replaced."""
    return {
        "endpoints": [
            {
                "id": one.endpoint_id,
                "url": one.url,
                "events": list(one.events),
                "description": one.description,
                "is_enabled": one.is_enabled,
                "rotated_at": one.rotated_at.isoformat() if one.rotated_at else None,
            }
            for one in settings.endpoints
        ]
    }


def _id_of(place: int) -> str:
    return f"endpoints/{place}/id"
