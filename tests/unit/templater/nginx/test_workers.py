"""Tables of the kernel."""

import sys

import pytest

from templater.names import Address, Port
from templater.nginx.workers import remote_key, socket_inodes

TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1 0
   1: 0100007F:9C40 0100007F:2329 01 00000000:00000000 00:00000000 00000000     0        0 12 1 0
   2: 0100007F:2329 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 13 1 0
   3: 0100007F:9C41 0100007F:2329 06 00000000:00000000 03:00000000 00000000     0        0 0 3 0
   4: broken
"""


@pytest.mark.skipif(sys.byteorder != "little", reason="the table is of a little-endian machine")
def test_connections_to_an_address_are_found_but_not_those_that_are_over() -> None:
    key = remote_key(Address("127.0.0.1"), Port(9001))
    assert key == "0100007F:2329"
    assert list(socket_inodes(TABLE, key)) == ["12"]
    six = remote_key(Address("2001:db8::1"), Port(80))
    assert six == "B80D0120000000000000000001000000:0050"
