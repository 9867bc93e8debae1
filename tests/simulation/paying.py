"""Everybody who pays or is paid, and how often they do."""

from collections.abc import Callable, Mapping

from billing.domain.records import TimerKind
from simulation.bus import Outbox
from simulation.desk import open_pay_desk
from simulation.gateway_news import GatewayNews, GatewayPeople
from simulation.operators import Operators
from simulation.payers import Payers
from simulation.world import World

Operations = Mapping[Callable[[], str], int]


class Paying:
    """Their operations with weights, beside one another and in between anybody's calls."""

    def __init__(self, world: World) -> None:
        desk = open_pay_desk(world)
        self.news = GatewayNews(world, desk)
        self.outbox = Outbox(world)
        self._world = world
        people = GatewayPeople(world)
        operators = Operators(world, desk)
        payers = Payers(world, desk)
        self.operations: Operations = {
            self.news.deliver: 16,
            self.news.repeat: 2,
            self.outbox.publish: 12,
            self.outbox.publish_again: 1,
            self.outbox.project: 3,
            people.refund_elsewhere: 1,
            people.fail_refund: 1,
            people.dispute: 1,
            people.decide: 1,
            operators.charge: 3,
            operators.credit: 2,
            operators.refund: 4,
            operators.ask_again: 2,
            operators.agree: 1,
            payers.pay: 3,
            payers.pay_again: 1,
            payers.add: 2,
            payers.add_again: 1,
            payers.save: 2,
            payers.look: 2,
            payers.prefer: 1,
            payers.reorder: 1,
            payers.remove: 1,
            payers.revoke: 1,
        }
        self.concurrent: Operations = {
            self.news.deliver: 4,
            self.outbox.publish: 2,
            self.outbox.project: 1,
            operators.charge: 1,
            operators.credit: 1,
            operators.refund: 2,
            operators.ask_again: 1,
            payers.pay: 2,
            payers.pay_again: 1,
            payers.look: 1,
            payers.prefer: 1,
            payers.remove: 1,
        }
        self._askers = (
            operators.charges,
            operators.credits,
            operators.refunds,
            payers.payments,
            payers.sources,
        )

    def finish(self) -> str:
        """Everything that was asked is asked again, everything that is known is told."""
        said = [self.news.deliver_all(), self.outbox.publish_all(), self.outbox.project_all()]
        return "; ".join([*said, *(asker.ask_all() for asker in self._askers)])

    @property
    def is_done(self) -> bool:
        """Nothing is to be asked, told or done by now."""
        book, now = self._world.book, self._world.clock.true_now
        return (
            not any(asker.open for asker in self._askers)
            and not self.news.letters
            and not book.outbox()
            and not any(list(book.due(kind, now)) for kind in TimerKind)
        )
