"""What the services need of the world. Outcomes are listed in order of precedence."""

from billing.domain.quarantine import (
    Parked,
)
from billing.ports.book import (
    AlreadyRecordedError,
    Book,
    CallsRecordedError,
    Directory,
    Timers,
)
from billing.ports.payments import (
    Captured,
    ChargeRequest,
    Declined,
    Gateway,
)
from billing.ports.selling import (
    DECK_VERSIONS_KEPT,
    Catalogs,
    Connection,
    Connections,
    Decks,
    DeckUploads,
    DeckVersion,
    StoredCatalog,
    UploadOffer,
)
from billing.ports.usage import (
    CarrierCosts,
    KeptPart,
    PartialCall,
    ProviderRecords,
    Quarantine,
    ReconciliationQueue,
    Summaries,
    TelephonyProvider,
    UsageParts,
    UsageQueue,
)
from billing.ports.world import (
    Clock,
    Events,
    WorkQueue,
)

__all__ = [
    "DECK_VERSIONS_KEPT",
    "AlreadyRecordedError",
    "Book",
    "CallsRecordedError",
    "Captured",
    "CarrierCosts",
    "Catalogs",
    "ChargeRequest",
    "Clock",
    "Connection",
    "Connections",
    "DeckUploads",
    "DeckVersion",
    "Decks",
    "Declined",
    "Directory",
    "Events",
    "Gateway",
    "KeptPart",
    "Parked",
    "PartialCall",
    "ProviderRecords",
    "Quarantine",
    "ReconciliationQueue",
    "StoredCatalog",
    "Summaries",
    "TelephonyProvider",
    "Timers",
    "UploadOffer",
    "UsageParts",
    "UsageQueue",
    "WorkQueue",
]
