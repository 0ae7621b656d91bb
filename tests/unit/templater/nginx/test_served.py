"""Which addresses get new work, and which did."""

from templater.names import Address, Port
from templater.nginx.served import Served
from templater.reach import Reach
from templater.routes import Routes
from tests.unit.templater.nginx.configs import instance, routes_to

REACH = Reach(Address("192.0.2.1"), Port(80))


def test_what_gets_new_work_is_remembered_for_a_while_after_it_left() -> None:
    served = Served()
    assert (served.is_now(REACH), served.was(REACH)) == (False, False)
    served.take(routes_to(instance()), 0.0)
    assert (served.is_now(REACH), served.was(REACH)) == (True, False)
    served.take(routes_to(instance(draining=True)), 100.0)
    assert (served.is_now(REACH), served.was(REACH)) == (False, True)
    served.take(Routes(), 399.0)
    assert served.was(REACH)
    served.take(Routes(), 400.0)
    assert not served.was(REACH)


def test_what_comes_back_gets_new_work_again() -> None:
    served = Served()
    for at, is_draining in enumerate((False, True, False)):
        served.take(routes_to(instance(draining=is_draining)), at)
    assert (served.is_now(REACH), served.was(REACH)) == (True, False)
