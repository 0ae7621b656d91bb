"""Ask a running scheduler over its socket, or by TCP with a token or a certificate."""

import http.client
import json
import os
import socket
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from ssl import Purpose, SSLContext, SSLError, create_default_context
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from sidecar.errors import ConfigError, PinnaceError, UpstreamUnavailable
from sidecar.web.token import read_token

__all__ = ["Access", "Client", "Refused", "default_socket"]

_ANSWER: Final = 30.0
_LINE: Final = 1 << 20
_VARIABLE: Final = "PINNACE_SCHEDULER__API"
_NO_KEY: Final = "no certificate, or no key to it, is in it; the key may be in --key"
_REASONS: Final = {
    "NO_CERTIFICATE_OR_CRL_FOUND": "no certificate is in it",
    "NO_START_LINE": "no certificate is in it",
    "KEY_VALUES_MISMATCH": "the key is not that of the certificate",
}
"""What OpenSSL means."""


class Refused(PinnaceError):
    """The scheduler said no; the text is its own."""

    def __init__(self, status: int, text: str) -> None:
        """Take the status and what was said."""
        super().__init__(text)
        self.status = status


def default_socket(environ: Mapping[str, str]) -> Path:
    """Return where a scheduler of this user listens unless it is told otherwise."""
    if os.geteuid() == 0:
        return Path("/run/pinnace/scheduler.sock")
    folder = environ.get("XDG_RUNTIME_DIR") or f"/tmp/pinnace-{os.geteuid()}"  # noqa: S108
    return Path(folder) / "pinnace" / "scheduler.sock"


@dataclass(frozen=True, slots=True)
class Access:
    """Where the scheduler is and how to be let in; empty: its socket of this user."""

    address: str = ""
    token_file: str = ""
    ca: str = ""
    certificate: str = ""
    key: str = ""

    def place(self, environ: Mapping[str, str]) -> str:
        """Return the address, the variable's or the default's where none is given."""
        return self.address or environ.get(_VARIABLE, "") or str(default_socket(environ))


class Client:
    """Asks one scheduler. Raises UpstreamUnavailable and Refused."""

    def __init__(self, access: Access, environ: Mapping[str, str] = os.environ) -> None:
        """Connect with each question; ``environ`` may name the place. Raises ConfigError."""
        self._access = access
        self.place = access.place(environ)
        self._scheme, self._host, self._port = _parts(self.place)
        if bool(access.key) > bool(access.certificate):
            raise ConfigError(["--key: it is of a certificate, give --cert too"])

    def get(self, *path: str, **query: object) -> Any:
        """Return an answer."""
        return self._asked("GET", path, query)

    def post(self, *path: str, body: bytes | None = None, **query: object) -> Any:
        """Give an order."""
        return self._asked("POST", path, query, body)

    def put(self, *path: str, body: bytes) -> Any:
        """Put a stack in force."""
        return self._asked("PUT", path, {}, body)

    def delete(self, *path: str) -> Any:
        """Take a stack down."""
        return self._asked("DELETE", path, {})

    def events(self, after: int, *, follows: bool) -> Generator[dict[str, Any], None, None]:
        """Yield entries of the journal; when ``follows``, without end."""
        query = {"after": after, "follow": int(follows)}
        connection, answer = self._answer("GET", ("v1", "events"), query, None)
        try:
            while line := answer.readline(_LINE):
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error
        finally:
            connection.close()

    def _asked(
        self,
        method: str,
        path: tuple[str, ...],
        query: Mapping[str, object],
        body: bytes | None = None,
    ) -> Any:
        connection, answer = self._answer(method, ("v1", *path), query, body)
        try:
            return json.loads(answer.read())
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error
        except ValueError as error:
            text = f"{self.place} answers something else: is this a Pinnace of this version?"
            raise UpstreamUnavailable(text) from error
        finally:
            connection.close()

    def _answer(
        self,
        method: str,
        path: tuple[str, ...],
        query: Mapping[str, object],
        body: bytes | None,
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        target = "/" + "/".join(quote(each, safe="") for each in path)
        if query:
            target += "?" + urlencode(query)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if self._access.token_file:
            token = read_token(self._access.token_file, "--token-file")
            headers["Authorization"] = f"Bearer {token}"
        try:
            connection = self._connection()
            connection.request(method, target, body=body, headers=headers)
            answer = connection.getresponse()
            if answer.status == http.HTTPStatus.OK:
                return connection, answer
            text = answer.read(20_000).decode("utf-8", "replace").strip()
            connection.close()
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error
        if answer.status == http.HTTPStatus.FORBIDDEN:
            is_known = "the token of --token-file is not the one that is asked for there"
            text = f"{self.place}: {is_known if self._access.token_file else 'give --token-file'}"
        raise Refused(answer.status, text or f"{self.place} answers {answer.status}")

    def _connection(self) -> http.client.HTTPConnection:
        if self._scheme == "https":
            return http.client.HTTPSConnection(
                self._host, self._port or 443, timeout=_ANSWER, context=self._tls()
            )
        if self._scheme:
            return http.client.HTTPConnection(self._host, self._port or 80, timeout=_ANSWER)
        return _Local(self.place.removeprefix("unix://"))

    def _tls(self) -> SSLContext:
        ca, certificate, key = self._access.ca, self._access.certificate, self._access.key
        option, path = "--ca", ca
        try:
            context = create_default_context(Purpose.SERVER_AUTH, cafile=ca or None)
            if certificate:
                option, path = "--cert", certificate if not key else f"{certificate}, --key {key}"
                context.load_cert_chain(certificate, key or None)
        except SSLError as error:
            what = _REASONS.get(error.reason, error.reason or _NO_KEY)
            raise ConfigError([f"{option} {path}: {what}"]) from None
        except OSError as error:
            raise ConfigError([f"{option} {path}: {error.strerror}"]) from None
        return context

    def _unreachable(self, error: Exception) -> UpstreamUnavailable:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        is_cut = isinstance(error, ConnectionError) and not isinstance(
            error, ConnectionRefusedError
        )
        if isinstance(error, SSLError) and error.reason == "WRONG_VERSION_NUMBER":
            hint = "does it take no TLS? then write http://"
        elif isinstance(error, SSLError) or (is_cut and self._scheme == "https"):
            hint = "give --ca, and --cert and --key if it asks for a certificate"
        elif isinstance(error, PermissionError):
            hint = "the socket is its owner's and root's"
        elif is_cut and self._scheme:
            hint = "does it take TLS only? then write https://"
        else:
            hint = "does a scheduler run there (pinnace up --stack FILE)? --api names another"
        return UpstreamUnavailable(f"{self.place}: {reason}; {hint}")


def _parts(place: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port of an address; nothing of a socket's path."""
    if "://" not in place or place.startswith("unix://"):
        return "", "", None
    try:
        parts = urlsplit(place)
        port = parts.port
    except ValueError as error:
        raise ConfigError([f"--api {place}: {error}"]) from None
    if parts.scheme not in {"http", "https", "tcp"} or not parts.hostname:
        text = "write a socket's path, http://HOST:PORT or https://HOST:PORT"
        raise ConfigError([f"--api {place}: {text}"])
    return parts.scheme, parts.hostname, port


class _Local(http.client.HTTPConnection):
    """HTTP over a socket file."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_ANSWER)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        try:
            self.sock.connect(self._path)
        except BaseException:
            self.sock.close()
            raise
