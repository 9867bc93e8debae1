"""Storage: a gauge in, and what it means out."""

from typing import Annotated, Literal

from pydantic import Field

from api.schemas.base import Instant, MoneyOut, Schema
from billing.domain.storage import MAX_USED_BYTES
from billing.services.gauge_storage import StorageView

Advice = Literal["purge_data", "remove_recordings", "load_only_lists_in_use"]
ADVICE: tuple[Advice, ...] = ("purge_data", "remove_recordings", "load_only_lists_in_use")


class StorageIn(Schema):
    """What the tenant stores now."""

    used_bytes: Annotated[int, Field(ge=0, le=MAX_USED_BYTES)]


class StorageOut(Schema):
    """What is stored, and what it costs.

    ``limit_bytes`` is what is included and what has been paid for on top; up to it nothing falls
    due. ``charged`` is what this gauge has put on the next invoice, without tax. ``to_get_below``
    says what helps, where more is stored than is included.
    """

    account: str
    used_bytes: int
    told_at: Instant | None
    active_members: int
    included_bytes: int
    extended_gb: int
    limit_bytes: int
    above_included_bytes: int
    price_per_gb: MoneyOut
    charged_gb: int
    charged: MoneyOut
    to_get_below: list[Advice]

    @staticmethod
    def of(view: StorageView) -> "StorageOut":
        assessed, currency = view.assessed, view.currency
        above = assessed.above_free_bytes
        return StorageOut(
            account=view.payer.account_id,
            used_bytes=assessed.storage.used_bytes,
            told_at=assessed.storage.told_at,
            active_members=view.active_members,
            included_bytes=assessed.free_bytes,
            extended_gb=assessed.storage.extended_gb,
            limit_bytes=assessed.limit_bytes,
            above_included_bytes=above,
            price_per_gb=MoneyOut.of(view.price_micros, currency),
            charged_gb=assessed.charged_gb,
            charged=MoneyOut.of(view.price_micros * assessed.charged_gb, currency),
            to_get_below=list(ADVICE) if above else [],
        )
