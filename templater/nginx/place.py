"""What this machine gives nginx. Everything here blocks."""

import grp
import os
import pwd
import resource
from pathlib import Path
from typing import Final, Literal

from templater.names import Address, SocketAddress
from templater.nginx.build import Build
from templater.nginx.render import Place

__all__ = ["place_of"]

_HTTP2_DIRECTIVE: Final = (1, 25, 1)  # before, it is a word of "listen"
_MAX_WORKERS: Final = 4
_MAX_FILES: Final = 4096  # memory is taken per connection; one host's sidecar needs no more


def place_of(build: Build, listen: SocketAddress, host: Address, socket: Path) -> Place:
    """Ask the machine."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return Place(
        listen=listen,
        host=host,
        socket=str(socket),
        workers=min(_MAX_WORKERS, os.cpu_count() or 1),
        files=_MAX_FILES if most == resource.RLIM_INFINITY else min(_MAX_FILES, most),
        user=_user(),
        stream=_stream(build),
        has_stub_status=build.has_stub_status,
        temporary=build.temporary,
        http2=_http2(build),
    )


def _stream(build: Build) -> str | None:
    if build.has_stream:
        return ""
    return build.stream_file if Path(build.stream_file).exists() else None


def _http2(build: Build) -> Literal["", "listen", "directive"]:
    if not build.has_http2:
        return ""
    return "directive" if build.version >= _HTTP2_DIRECTIVE else "listen"


def _user() -> tuple[str, str] | None:
    """Return who workers run as: as root nginx would choose another, which has less than we.

    None for others, whose nginx has no choice.
    """
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwuid(0).pw_name, grp.getgrgid(os.getegid()).gr_name
    except KeyError:
        return None
