"""Several processes: their admin addresses, and what becomes of one that ends."""

import pytest

from ambassador.frame.address import Address
from ambassador.frame.workers import nth


@pytest.mark.parametrize(
    ("address", "number", "found"),
    [
        (Address("192.0.2.1", 9121), 0, Address("192.0.2.1", 9121)),
        (Address("192.0.2.1", 9121), 2, Address("192.0.2.1", 9123)),
        (Address("192.0.2.1", 0), 2, Address("192.0.2.1", 0)),
        (Address("/run/a", 0), 0, Address("/run/a", 0)),
        (Address("/run/a", 0), 1, Address("/run/a.1", 0)),
    ],
)
def test_every_worker_has_an_address_of_its_own(
    address: Address, number: int, found: Address
) -> None:
    assert nth(address, number) == found
