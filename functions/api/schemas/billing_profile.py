"""The billing profile: whom documents name as the buyer."""

from typing import Annotated

from pydantic import Field

from api.schemas.base import Acceptance, Instant, Schema
from billing.domain.billing_profiles import BillingProfile, ProfileWanted
from billing.domain.parties import MAX_ADDRESS_LINES, Party


class ProfileIn(Schema):
    """Whom documents name as the buyer from now on, and in which language they are printed: a
    BCP 47 tag such as `en`, `de` or `pt-BR`."""

    legal_name: str
    address: Annotated[list[str], Field(max_length=MAX_ADDRESS_LINES)] = []
    country: str = ""
    tax_id: str = ""
    language: str = "en"
    purchase_order: str = ""
    acceptance: Acceptance | None = None

    def wanted(self) -> ProfileWanted:
        party = Party(self.legal_name, tuple(self.address), self.country, self.tax_id)
        return ProfileWanted(party, self.language, self.purchase_order)


class ProfileOut(Schema):
    """The profile; before one is set, everything is empty, and documents name the tenant's id."""

    legal_name: str
    address: list[str]
    country: str
    tax_id: str
    language: str
    purchase_order: str
    changed_at: Instant | None

    @staticmethod
    def of(profile: BillingProfile | None) -> "ProfileOut":
        wanted = profile or ProfileWanted(Party())
        return ProfileOut(
            legal_name=wanted.party.name,
            address=list(wanted.party.address),
            country=wanted.party.country,
            tax_id=wanted.party.tax_id,
            language=wanted.language,
            purchase_order=wanted.purchase_order,
            changed_at=profile.changed_at if profile else None,
        )
