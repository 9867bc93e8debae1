"""The billing profile: whom an account's documents name as the buyer, and in which language.

Every revision is kept, and each says from which number on it holds in every series. So who stood
on a document when it was issued can be read at any later time, to the document, whatever anybody's
clock said.

Source of the rules: docs/documents.md, "Who buys, and who sells".
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from billing.domain.account import Account, AccountRef
from billing.domain.audit import By
from billing.domain.canonical import Json, digest
from billing.domain.change import Change
from billing.domain.collecting_steps import effect_change, step
from billing.domain.documents import DocumentNumbers
from billing.domain.effects import Effect
from billing.domain.errors import ConflictError, InvalidInputError
from billing.domain.parties import Party, is_line, party_faults
from billing.domain.things import numbered

DEFAULT_LANGUAGE = "en"
MAX_PURCHASE_ORDER = 100

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?", re.ASCII)


class Series(StrEnum):
    """The kinds of documents, each numbered by itself."""

    INVOICES = "invoices"
    CREDIT_NOTES = "credit-notes"
    RECEIPTS = "receipts"


@dataclass(frozen=True, slots=True)
class BillingProfile:
    """One revision of an account's profile.

    Args:
        revision: 1 and up.
        language: BCP 47: how figures and days are written, and words, where we have them.
        purchase_order: What the buyer wants to read on every document; empty: nothing.
        after: The last invoice, credit note and receipt that an earlier revision stands on.
    """

    KIND: ClassVar[str] = "PROFILE"

    account: AccountRef
    revision: int
    party: Party
    changed_at: datetime
    language: str = DEFAULT_LANGUAGE
    purchase_order: str = ""
    after: tuple[int, int, int] = (0, 0, 0)

    @property
    def thing_name(self) -> str:
        return numbered(self.revision)

    def is_on(self, series: Series, number: int) -> bool:
        """Whether it stood, or an earlier revision had not yet been replaced, by that document."""
        return self.after[list(Series).index(series)] < number


@dataclass(frozen=True, slots=True)
class ProfileWanted:
    """A profile as somebody wants it."""

    party: Party
    language: str = DEFAULT_LANGUAGE
    purchase_order: str = ""


def profile_on(
    profiles: Iterable[BillingProfile], series: Series, number: int
) -> BillingProfile | None:
    """The revision that stood when a document was issued.

    Args:
        profiles: Newest first.

    Returns:
        None: The account had no profile then.
    """
    return next((one for one in profiles if one.is_on(series, number)), None)


def profile_etag(profile: BillingProfile | None) -> str:
    """The profile's entity tag; of none, too."""
    return digest([profile.revision if profile else 0, profile_json(profile)])[:16]


def profile_json(profile: BillingProfile | ProfileWanted | None) -> dict[str, Json]:
    """A profile in its outside form; empty: there is none."""
    if profile is None:
        return {}
    address: list[Json] = list(profile.party.address)
    return {
        "legal_name": profile.party.name,
        "address": address,
        "country": profile.party.country,
        "tax_id": profile.party.tax_id,
        "language": profile.language,
        "purchase_order": profile.purchase_order,
    }


def set_profile(
    account: Account,
    current: BillingProfile | None,
    wanted: ProfileWanted,
    numbers: DocumentNumbers,
    seen_etag: str,
    by: By,
    now: datetime,
) -> Change:
    """Replace the profile; documents that are issued from now on name it.

    Args:
        current: The last revision; None: there is none yet.
        numbers: What has been issued so far.
        seen_etag: From ``profile_etag``.
        now: Aware UTC.

    Raises:
        ConflictError: Somebody else changed it since.
        InvalidInputError: Names the field.
    """
    if profile_etag(current) != seen_etag:
        raise ConflictError("the profile has changed since; read it again")
    _check(wanted)
    profile = BillingProfile(
        account=account.ref,
        revision=(current.revision if current else 0) + 1,
        party=wanted.party,
        changed_at=now,
        language=wanted.language,
        purchase_order=wanted.purchase_order,
        after=(numbers.invoices, numbers.credit_notes, numbers.receipts),
    )
    operation = step(
        account, f"billing-profile/{profile.revision}", [profile_json(profile), by.actor], now
    )
    audit = by.audit(
        account.ref,
        operation.operation_id,
        "billing_profile.set",
        before=profile_json(current),
        after=profile_json(profile),
        at=now,
    )
    return effect_change(
        account, Effect(account, records=(profile, audit)), operation=operation, now=now
    )


def _check(wanted: ProfileWanted) -> None:
    if not wanted.party.name:
        raise InvalidInputError("a buyer has a name", field="legal_name")
    for field, detail in party_faults(wanted.party):
        raise InvalidInputError(
            f"{field} {detail}", field="legal_name" if field == "name" else field
        )
    if not _LANGUAGE.fullmatch(wanted.language):
        raise InvalidInputError("a language is a tag such as en or pt-BR", field="language")
    if not is_line(wanted.purchase_order, MAX_PURCHASE_ORDER):
        raise InvalidInputError(
            f"is one line of at most {MAX_PURCHASE_ORDER} visible characters, without < or >",
            field="purchase_order",
        )
