"""Who agreed to what, and who changed what: no acceptance, no change, and no change untold."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from billing.domain.account import AccountRef
from billing.domain.canonical import Json
from billing.domain.errors import AcceptanceRequiredError
from billing.domain.records import Acceptance, AuditRecord, Origin

MAX_NAME_LENGTH = 200

MAX_IP_LENGTH = 45
"""An IPv6 address that holds an IPv4 one, written out."""

MAX_USER_AGENT_LENGTH = 200
"""Browsers' own are shorter; what is longer tells no more."""


@dataclass(frozen=True, slots=True)
class By:
    """Who changes something, and from where.

    Args:
        actor: The token's ``sub``.
        acceptance: None only for machines.
        is_machine: The token is a back end's.
    """

    actor: str
    acceptance: Acceptance | None
    origin: Origin = field(default_factory=Origin)
    is_machine: bool = False

    def audit(
        self,
        ref: AccountRef,
        operation_id: str,
        action: str,
        *,
        before: Mapping[str, Json],
        after: Mapping[str, Json],
        at: datetime,
    ) -> AuditRecord:
        """The record of having changed something, to be written with it.

        Args:
            before: What stood there; empty: there was nothing.
        """
        return AuditRecord(
            account=ref,
            operation_id=operation_id,
            actor=self.actor,
            action=action,
            acceptance=self.acceptance,
            before=dict(before),
            after=dict(after),
            at=at,
            origin=self.origin,
            is_machine=self.is_machine,
        )


def origin_of(ip: str, user_agent: str) -> Origin:
    """Where a request came from, fit to be kept: the caller chooses his own user agent."""
    return Origin(_printable(ip)[:MAX_IP_LENGTH], _printable(user_agent)[:MAX_USER_AGENT_LENGTH])


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() else "?" for one in text).strip()


def accept(
    *, first_name: str, last_name: str, terms_version: str, accepted: bool, current_terms: str
) -> Acceptance:
    """Check an acceptance before the change it belongs to.

    Args:
        current_terms: The catalogue's terms version.

    Raises:
        AcceptanceRequiredError: Names the field: a blank or overlong name, terms other than the
            current ones, or ``accepted`` not true.
    """
    for name, value in (("first_name", first_name), ("last_name", last_name)):
        if not value.strip() or len(value) > MAX_NAME_LENGTH or not value.isprintable():
            raise AcceptanceRequiredError(
                f"{name} is the name of the person who accepts, on one line",
                field=f"acceptance/{name}",
            )
    if terms_version != current_terms:
        raise AcceptanceRequiredError(
            f"the current terms are version {current_terms!r}; show them and ask again",
            field="acceptance/terms_version",
        )
    if accepted is not True:
        raise AcceptanceRequiredError(
            "nothing is changed unless accepted is true", field="acceptance/accepted"
        )
    return Acceptance(first_name.strip(), last_name.strip(), terms_version)
