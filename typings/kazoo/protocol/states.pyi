from typing import NamedTuple

class KazooState:
    CONNECTED: str
    SUSPENDED: str
    LOST: str

class KeeperState:
    AUTH_FAILED: str
    CLOSED: str

class WatchedEvent(NamedTuple):
    type: str
    state: str
    path: str | None

class ZnodeStat(NamedTuple):
    czxid: int
    mzxid: int
    ctime: int
    mtime: int
    version: int
    cversion: int
    aversion: int
    ephemeralOwner: int
    dataLength: int
    numChildren: int
    pzxid: int
