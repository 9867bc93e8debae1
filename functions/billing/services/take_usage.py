"""Take a provider's callback in: check who sent it, then queue what it reports or park it."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from billing.domain.account import AccountRef, require_id
from billing.domain.callbacks import (
    CarrierRated,
    Halved,
    Ignored,
    Reported,
    Unreadable,
    WebhookRequest,
)
from billing.domain.errors import InvalidInputError, InvalidSignatureError, NotFoundError
from billing.domain.usage import UsageEvent
from billing.ports import (
    CarrierCosts,
    Clock,
    Connection,
    Connections,
    Quarantine,
    TelephonyProvider,
    UsageParts,
    UsageQueue,
)
from billing.services.join_parts import JoinParts
from billing.services.place_usage import PlaceUsage, Taken, TakenStatus

CARRIER_RATED = "carrier_rated"


class TakeUsage:
    """Takes one callback at a time; taking it again changes nothing."""

    def __init__(
        self,
        *,
        connections: Connections,
        quarantine: Quarantine,
        queue: UsageQueue,
        parts: UsageParts,
        costs: CarrierCosts,
        clock: Clock,
        providers: Mapping[str, TelephonyProvider],
    ) -> None:
        self._connections = connections
        self._costs = costs
        self._clock = clock
        self._providers = providers
        self._place_usage = PlaceUsage(quarantine=quarantine, queue=queue, clock=clock)
        self._join_parts = JoinParts(parts=parts, place_usage=self._place_usage, clock=clock)

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
                ref = connection.account_for(unreadable.provider_account)
                return self._place_usage.park(connection_id, ref, unreadable)
            case Reported(events):
                return self._place(connection, events)
            case Halved(part):
                ref = connection.account_for(part.key.provider_account)
                return self._join_parts.take(ref, part)
            case CarrierRated() as rated:
                return self._keep_cost(connection, rated)

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
        placed: dict[AccountRef | None, list[UsageEvent]] = {}
        for event in events:
            ref = connection.account_for(event.key.provider_account)
            placed.setdefault(ref, []).append(event)
        taken = [self._place_usage.place(ref, theirs) for ref, theirs in placed.items()]
        parked = (each for each in taken if each.status is TakenStatus.PARKED)
        return next(parked, Taken(TakenStatus.ACCEPTED))

    def _keep_cost(self, connection: Connection, rated: CarrierRated) -> Taken:
        """What the carrier bills stands beside the call, and changes nothing in what we do."""
        account = rated.key.provider_account
        ref = connection.account_for(account)
        if ref is None:
            detail = f"what a call costs the operator; the connection maps {account} to no account"
            unplaced = Unreadable(CARRIER_RATED, detail, account, rated.to_json())
            return self._place_usage.park(connection.connection_id, None, unplaced)
        self._costs.keep(ref.tenant_id, rated)
        return Taken(TakenStatus.ACCEPTED, CARRIER_RATED)


def _refusal() -> InvalidSignatureError:
    return InvalidSignatureError("the signature is missing or wrong")
