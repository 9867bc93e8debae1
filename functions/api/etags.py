"""Settings carry an ETag, and are changed by whoever has seen the current one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from api.problems import RequestError

_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e]*)"')


@dataclass(frozen=True, slots=True)
class Precondition:
    """What the caller says he has seen.

    Args:
        tags: Strong entity tags of ``If-Match``.
        is_new: ``If-None-Match: *``: there must be nothing yet.
        is_given: He says anything at all.
    """

    tags: frozenset[str]
    is_new: bool
    is_given: bool

    def require(self, current: str | None) -> None:
        """Refuse unless the caller has seen the current state.

        Args:
            current: The settings' tag; None: there are none yet, and creating them needs nothing.

        Raises:
            RequestError: ``precondition_required`` or ``stale_settings``.
        """
        if not self.is_given:
            if current is not None:
                raise RequestError(
                    "precondition_required",
                    "Read the settings first, and send their ETag as If-Match.",
                )
            return
        is_met = current is None if self.is_new else current in self.tags
        if not is_met:
            raise stale()

    def require_version(self, current: int) -> int:
        """The same for what carries a version; 0: there is nothing yet."""
        self.require(str(current) if current else None)
        return current


def read(headers: Mapping[str, str]) -> Precondition:
    """The request's precondition. ``If-Match: *`` names nothing seen, so it does not count."""
    if_match = headers.get("if-match", "").strip()
    is_new = headers.get("if-none-match", "").strip() == "*"
    # If-Match compares strongly (RFC 9110, 13.1.1): a weak tag never matches.
    tags = frozenset(tag for weak, tag in _TAG.findall(if_match) if not weak)
    return Precondition(tags, is_new, is_given=is_new or if_match not in ("", "*"))


def etag(value: str | int) -> str:
    return f'"{value}"'


def stale() -> RequestError:
    return RequestError(
        "stale_settings", "The settings are no longer what you have seen; read them again."
    )
