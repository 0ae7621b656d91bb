"""The text of nginx's configuration for TCP listeners. Pure."""

from collections.abc import Iterator
from typing import Final

from templater.names import Address, Port, SocketAddress
from templater.nginx.names import GroupName, word
from templater.routes import Upstream
from templater.shapes import Shape

__all__ = ["STREAM", "listener"]

STREAM: Final = """
stream {
    log_format pinnace "tcp:$server_port;$upstream_addr;$status;$upstream_connect_time";
    access_log counts.log pinnace buffer=32k flush=1s;
    tcp_nodelay on;
    proxy_connect_timeout 1s;
    proxy_timeout 1h;
    proxy_socket_keepalive on;
    proxy_next_upstream_tries 4;
"""


def listener(host: Address, port: Port, upstream: Upstream, *, is_served: bool) -> str:
    """Return the server of a port; ``is_served``: there is an endpoint for it."""
    name = word(GroupName(upstream))
    # Without an endpoint a connection is closed at once.
    target = f'proxy_pass "{name}";' if is_served else 'return "";'
    return (
        f"    # {name}\n"
        "    server {\n"
        f'        listen "{word(SocketAddress(host, port))}" so_keepalive=on;\n'
        f"{''.join(_patience(upstream.shape))}"
        f"        {target}\n"
        "    }\n"
    )


def _patience(shape: Shape) -> Iterator[str]:
    if shape.timeouts.connect is not None:
        yield f"        proxy_connect_timeout {word(shape.timeouts.connect)}ms;\n"
    if shape.timeouts.tunnel is not None:
        yield f"        proxy_timeout {word(shape.timeouts.tunnel)}ms;\n"
