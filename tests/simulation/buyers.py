"""Everybody who buys or looks after what was bought, and how often they do."""

from collections.abc import Callable, Mapping

from simulation.number_desk import NumberDesk
from simulation.shop import open_shop
from simulation.shoppers import Shoppers
from simulation.staff import Staff
from simulation.world import World

Operations = Mapping[Callable[[], str], int]


class Buyers:
    """Their operations with weights, beside one another and in between anybody's calls."""

    def __init__(self, world: World) -> None:
        shop = open_shop(world)
        self.shoppers = Shoppers(world, shop)
        self.desk = NumberDesk(world, shop)
        self.staff = Staff(world, shop)
        self.operations: Operations = {
            self.shoppers.buy: 24,
            self.shoppers.quote: 3,
            self.shoppers.order_quoted: 3,
            self.shoppers.order_again: 6,
            self.shoppers.reuse_key: 1,
            self.shoppers.take_back: 2,
            self.desk.provide: 4,
            self.desk.say_again: 1,
            self.desk.let_go: 1,
            self.desk.amend: 2,
            self.desk.pay: 2,
            self.desk.pay_again: 1,
            self.staff.invite: 3,
            self.staff.invite_again: 1,
            self.staff.amend_member: 2,
            self.staff.remove_member: 2,
            self.staff.gauge: 3,
            self.staff.put_catalog: 1,
        }
        self.concurrent: Operations = {
            self.shoppers.buy: 4,
            self.shoppers.order_quoted: 2,
            self.shoppers.order_again: 2,
            self.shoppers.take_back: 1,
            self.desk.provide: 1,
            self.desk.let_go: 1,
            self.desk.pay: 1,
            self.staff.invite: 1,
            self.staff.remove_member: 1,
            self.staff.gauge: 1,
        }
        self._askers = (self.shoppers.orders, self.desk.payments, self.staff.invitations)

    def finish(self) -> str:
        """Everything that was asked is asked again, and the carrier provides what waits."""
        said = [self.desk.provide_all(), *(asker.ask_all() for asker in self._askers)]
        return "; ".join(said)

    @property
    def is_done(self) -> bool:
        return not any(asker.open for asker in self._askers)
