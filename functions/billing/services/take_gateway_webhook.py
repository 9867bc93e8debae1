"""Take a payment gateway's webhook in: check who sent it, then do what it says."""

from collections.abc import Callable, Mapping, Sequence

from billing.domain.callbacks import WebhookRequest
from billing.domain.errors import InvalidSignatureError
from billing.ports import Clock, GatewayWebhooks
from billing.services.take_gateway_event import TakeGatewayEvent, Taken


class TakeGatewayWebhook:
    """Takes one webhook at a time; taking it again changes nothing.

    Args:
        dialects: By the gateway's name.
        secrets: The secrets of each gateway: one, two while one replaces the other, or none.
    """

    def __init__(
        self,
        *,
        dialects: Mapping[str, GatewayWebhooks],
        secrets: Mapping[str, Callable[[], Sequence[str]]],
        take_gateway_event: TakeGatewayEvent,
        clock: Clock,
    ) -> None:
        self._dialects = dialects
        self._secrets = secrets
        self._take_gateway_event = take_gateway_event
        self._clock = clock

    def knows(self, gateway: str) -> bool:
        """Whether there is such a gateway."""
        return gateway in self._dialects

    def take(self, gateway: str, request: WebhookRequest) -> Taken:
        """Returns only once what the webhook says is in the book, or handed on.

        A store's own failure passes through, so that the gateway is told to send it again.

        Args:
            gateway: One that is known.

        Raises:
            InvalidSignatureError: Not signed lately with a secret of this gateway, or it has none.
            InvalidInputError: It is signed and yet cannot be read.
            TalktimeError: See ``TakeGatewayEvent.take``.
        """
        dialect = self._dialects[gateway]
        if not dialect.verify(request, self._secrets[gateway](), self._clock.now()):
            raise InvalidSignatureError("the signature is missing or wrong")
        event = dialect.parse(request)
        return Taken.IGNORED if event is None else self._take_gateway_event.take(gateway, event)
