"""Cursors: opaque, signed, and good for one tenant, route and filter only."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable

from api.problems import RequestError
from billing.domain.canonical import Json, canonical_json

MAC_BYTES = 16
MAX_LENGTH = 512


class Cursors:
    """Seals and opens cursors.

    Args:
        key: The signing key; asked for at the first cursor, since most requests need none.
    """

    def __init__(self, key: Callable[[], bytes]) -> None:
        self._key = key

    def seal(self, position: Json, scope: Json) -> str:
        """A cursor that leads on from a position.

        Args:
            position: Where the next page begins.
            scope: What the cursor is bound to: tenant, route, filter.
        """
        payload = canonical_json(position).encode()
        return _encode(self._mac(payload, scope) + payload)

    def open(self, cursor: str, scope: Json) -> Json:
        """The position of a cursor sealed for the same scope.

        Raises:
            RequestError: ``invalid_cursor``.
        """
        try:
            sealed = _decode(cursor)
        except (binascii.Error, ValueError):
            raise _invalid() from None
        mac, payload = sealed[:MAC_BYTES], sealed[MAC_BYTES:]
        # The re-encoding refuses other spellings of the same bytes.
        if not hmac.compare_digest(mac, self._mac(payload, scope)) or _encode(sealed) != cursor:
            raise _invalid()
        position: Json = json.loads(payload)
        return position

    def _mac(self, payload: bytes, scope: Json) -> bytes:
        message = hashlib.sha256(canonical_json(scope).encode()).digest() + payload
        return hmac.digest(self._key(), message, "sha256")[:MAC_BYTES]


def _encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _decode(cursor: str) -> bytes:
    if len(cursor) > MAX_LENGTH:
        raise ValueError("too long")
    text = cursor.encode("ascii")
    return base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _invalid() -> RequestError:
    return RequestError(
        "invalid_cursor", "Take next_cursor from this list's own answer, with the same filter."
    )
