"""The functions of templates that ask the machine: environment, time, network, plugins, files.

They block, so templates are executed in a thread. What can harm the machine is refused unless the
configuration allows it by name (reliability T3).
"""

import fcntl
import grp
import ipaddress
import os
import pwd
import re
import signal
import socket
import struct
import subprocess
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NoReturn

from sidecar.runtime.clock import Clock
from sidecar.runtime.command import without_secrets
from templater.functions.moment import Moment
from templater.functions.sprig_world import sprig_world

__all__ = ["GUARDED", "path_check", "world_functions"]

GUARDED: Final = frozenset({"plugin", "writeToFile"})
_PLUGIN_LIMIT: Final = 30.0
_PLUGIN_OUTPUT: Final = 16 << 20
_RFC3339: Final = "2006-01-02T15:04:05Z07:00"

Functions = Mapping[str, Callable[..., object]]


def world_functions(
    environ: Mapping[str, str], clock: Clock, allowed: Collection[str] = ()
) -> Functions:
    """Return the functions; of the guarded ones only those allowed do anything."""

    def env(name: str) -> str:
        return environ.get(name, "")

    def must_env(name: str) -> str:
        if not environ.get(name):
            raise ValueError(f"required environment variable {name} is empty")
        return environ[name]

    def env_or_default(name: str, default: str) -> str:
        return environ.get(name, default)

    def timestamp(*layouts: str) -> str:
        if len(layouts) > 1:
            raise ValueError(
                f"timestamp: wrong number of arguments, expected 0 or 1, but got {len(layouts)}"
            )
        wall = clock.wall()
        if layouts == ("unix",):
            return str(int(wall))
        now = Moment(datetime.fromtimestamp(wall, UTC), int(wall % 1 * 1e9))
        return now.format(layouts[0] if layouts else _RFC3339)

    def plugin(name: str, *words: str) -> str:
        return _plugin(name, words, environ)

    found: dict[str, Callable[..., object]] = {
        "env": env,
        "envOrDefault": env_or_default,
        "mustEnv": must_env,
        "plugin": plugin,
        "sockaddr": _sockaddr,
        "timestamp": timestamp,
        "writeToFile": _write_to_file,
    }
    for name, call in sprig_world(environ, clock.wall).items():
        found[f"sprig_{name}"] = call
    for name in GUARDED - frozenset(allowed):
        found[name] = _not_allowed(name)
    return found


def path_check(sandbox: str) -> Callable[[str], None]:
    """Return what refuses files outside of a folder; an empty one allows all."""

    def check(path: str) -> None:
        if not sandbox:
            return
        if not os.path.exists(path):  # noqa: PTH110  (a text, as everything here)
            raise ValueError(f"lstat {path}: no such file or directory")
        inner = os.path.relpath(os.path.realpath(path), sandbox)
        if inner.startswith(".."):
            raise ValueError(f"'{path}' is outside of sandbox")

    return check


def _not_allowed(name: str) -> Callable[..., object]:
    def refuse(*_: object) -> NoReturn:
        raise PermissionError(f'{name} is not allowed; allow_functions = ["{name}"] does that')

    return refuse


def _plugin(name: str, words: tuple[str, ...], environ: Mapping[str, str]) -> str:
    """Run a program; return what it writes. It gets no secrets of ours, and 30 seconds."""
    if not name:
        return ""
    argv = [name, *filter(None, (word.strip() for word in words))]
    try:
        process = subprocess.Popen(  # noqa: S603  (allowed by name; no shell)
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=without_secrets(environ),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise ValueError(f'exec "{name}": {error}') from None
    try:
        out, complaints = process.communicate(timeout=_PLUGIN_LIMIT)
    except subprocess.TimeoutExpired:
        raise ValueError(f'exec "{name}": did not finish in 30s') from None
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    text = out[:_PLUGIN_OUTPUT].decode("utf-8", "surrogateescape")
    if process.returncode:
        shown = complaints.decode("utf-8", "replace")
        raise ValueError(
            f'exec "{name}": exit status {process.returncode}\n\n'
            f"stdout:\n\n{text}\n\nstderr:\n\n{shown}"
        )
    return text.strip()


def _write_to_file(path: str, user: str, group: str, permissions: str, *rest: str) -> str:
    """Write a file: flags, if any, and the content come last."""
    if not rest:
        raise ValueError("writeToFile: the content is missing")
    flags = rest[0] if len(rest) > 1 else ""
    if not re.fullmatch(r"[0-7]{1,4}", permissions, re.ASCII):
        raise ValueError(f'strconv.ParseUint: parsing "{permissions}": invalid syntax')
    content = rest[-1] + ("\n" if "newline" in flags else "")
    place = Path(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("ab" if "append" in flags else "wb") as file:
        file.write(content.encode("utf-8", "surrogateescape"))
    if user or group:
        os.chown(place, _id_of(user, is_user=True), _id_of(group, is_user=False))
    place.chmod(int(permissions, 8))
    return ""


def _id_of(name: str, *, is_user: bool) -> int:
    if not name:
        return -1
    with suppress(KeyError):
        return pwd.getpwnam(name).pw_uid if is_user else grp.getgrnam(name).gr_gid
    return int(name)


# --- sockaddr -------------------------------------------------------------------------------------

_GET_ADDRESS: Final = 0x8915  # SIOCGIFADDR
_PRIVATE: Final = tuple(
    ipaddress.ip_network(net)
    for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)


def _sockaddr(*words: str) -> str:
    """Return addresses of this machine: the commonest questions of go-sockaddr's language."""
    name, *arguments = " ".join(words).split() or [""]
    plain = [word.strip("\"'") for word in arguments]
    if name in {"GetInterfaceIP", "GetInterfaceIPs"} and len(plain) == 1:
        found = _interface_addresses(plain[0])
    elif name in {"GetPrivateIP", "GetPrivateIPs"} and not plain:
        found = [each for each in _own_addresses() if _is_private(each)]
    elif name in {"GetPublicIP", "GetPublicIPs"} and not plain:
        found = [each for each in _own_addresses() if ipaddress.ip_address(each).is_global]
    else:
        raise ValueError(f"sockaddr: {' '.join(words)} is not supported")
    return " ".join(found if name.endswith("s") else found[:1])


def _own_addresses() -> list[str]:
    return [each for _, name in socket.if_nameindex() for each in _interface_addresses(name)]


def _interface_addresses(name: str) -> list[str]:
    """Return an interface's IPv4 address, if it has one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            found = fcntl.ioctl(sock, _GET_ADDRESS, struct.pack("256s", name.encode()[:15]))
        except OSError:
            return []
    return [socket.inet_ntoa(found[20:24])]


def _is_private(address: str) -> bool:
    return any(ipaddress.ip_address(address) in net for net in _PRIVATE)
