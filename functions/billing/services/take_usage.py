"""Take a provider's callback in: check who sent it, then queue what it reports or park it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from billing.domain.account import AccountRef, require_id
from billing.domain.callbacks import (
    CarrierRated,
    Halved,
    Ignored,
    Reported,
    Unreadable,
    WebhookRequest,
)
from billing.domain.canonical import Json, digest
from billing.domain.errors import InvalidInputError, InvalidSignatureError, NotFoundError
from billing.domain.usage import UsageEvent
from billing.ports import (
    Clock,
    Connection,
    Connections,
    Parked,
    Quarantine,
    TelephonyProvider,
    UsageQueue,
)

ACCOUNT_NOT_MAPPED = "account_not_mapped"
HALF_OF_A_CALL = "half_of_a_call"
CARRIER_RATED = "carrier_rated"


class TakenStatus(StrEnum):
    """What became of a callback that was truly the provider's."""

    ACCEPTED = "accepted"
    IGNORED = "ignored"
    PARKED = "parked"


@dataclass(frozen=True, slots=True)
class Taken:
    """The outcome, with a stable code where there is something to explain."""

    status: TakenStatus
    reason: str = ""


class TakeUsage:
    """Takes one callback at a time; taking it again changes nothing."""

    def __init__(
        self,
        *,
        connections: Connections,
        quarantine: Quarantine,
        queue: UsageQueue,
        clock: Clock,
        providers: Mapping[str, TelephonyProvider],
    ) -> None:
        self._connections = connections
        self._quarantine = quarantine
        self._queue = queue
        self._clock = clock
        self._providers = providers

    def take(self, connection_id: str, request: WebhookRequest) -> Taken:
        """Returns only once whatever was reported is durable.

        A store's own failure passes through, so that the provider is told to send it again.

        Raises:
            InvalidSignatureError: Not signed with this connection's secret, or there is no such
                connection; the two cannot be told apart, or ids could be probed.
        """
        received_at = self._clock.now()
        connection, provider = self._verified(connection_id, request, received_at)
        match provider.parse(request, connection_id, received_at):
            case Ignored(reason):
                return Taken(TakenStatus.IGNORED, reason)
            case Unreadable() as unreadable:
                return self._park_unreadable(connection, unreadable)
            case Reported(events):
                return self._place(connection, events)
            case Halved(part):
                detail = f"the part of the call that was {part.kind}, without the others"
                account = part.key.provider_account
                return self._park_unreadable(
                    connection, Unreadable(HALF_OF_A_CALL, detail, account, part.to_json())
                )
            case CarrierRated() as rated:
                detail = "the carrier's own rated record of a call"
                account = rated.key.provider_account
                return self._park_unreadable(
                    connection, Unreadable(CARRIER_RATED, detail, account, rated.to_json())
                )

    def _verified(
        self, connection_id: str, request: WebhookRequest, received_at: datetime
    ) -> tuple[Connection, TelephonyProvider]:
        try:
            connection = self._connections.get(require_id(connection_id, "connection"))
        except (NotFoundError, InvalidInputError) as error:
            raise _refusal() from error
        provider = self._providers.get(connection.provider)
        if provider is None or not provider.verify(request, connection.secrets, received_at):
            raise _refusal()
        return connection, provider

    def _place(self, connection: Connection, events: Sequence[UsageEvent]) -> Taken:
        mapped: dict[AccountRef, list[UsageEvent]] = {}
        unmapped: list[UsageEvent] = []
        for event in events:
            ref = connection.account_for(event.key.provider_account)
            (unmapped if ref is None else mapped.setdefault(ref, [])).append(event)
        for ref, theirs in mapped.items():
            self._queue.send(ref, theirs)
        for event in unmapped:
            self._park_unmapped(connection, event)
        if unmapped:
            return Taken(TakenStatus.PARKED, ACCOUNT_NOT_MAPPED)
        return Taken(TakenStatus.ACCEPTED)

    def _park_unmapped(self, connection: Connection, event: UsageEvent) -> None:
        # Times lie outside the identity, as they do in the fingerprint: a message's callbacks
        # carry none, so each delivery of the same report would be parked once more.
        identity: Json = [str(event.key), event.fingerprint, event.status]
        account = event.key.provider_account
        self._park(
            connection,
            Unreadable(
                ACCOUNT_NOT_MAPPED,
                f"the connection maps {account} to no account",
                account,
                event.to_json(),
            ),
            identity,
        )

    def _park_unreadable(self, connection: Connection, unreadable: Unreadable) -> Taken:
        self._park(connection, unreadable, unreadable.callback)
        return Taken(TakenStatus.PARKED, unreadable.reason)

    def _park(self, connection: Connection, unplaced: Unreadable, identity: Json) -> None:
        self._quarantine.park(
            Parked(
                parked_id=digest([unplaced.reason, connection.connection_id, identity])[:32],
                reason=unplaced.reason,
                detail=unplaced.detail,
                connection_id=connection.connection_id,
                account=connection.account_for(unplaced.provider_account),
                event=dict(unplaced.callback),
                parked_at=self._clock.now(),
            )
        )


def _refusal() -> InvalidSignatureError:
    return InvalidSignatureError("the signature is missing or wrong")
