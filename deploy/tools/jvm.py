"""JVMs with JMX remote on, for tests and figures: our own with many beans, ZooKeeper, Tomcat.

Started by Debian's Java; sources are compiled once per folder. Everything is on loopback.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from deploy.tools.server import Server
from deploy.tools.zookeeper import ZooKeeper
from deploy.tools.zookeeper import why_not as without_zookeeper

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Beans", "Jmx", "JmxZooKeeper", "Tomcat", "compiled", "java_client", "why_not"]

_SOURCES: Final = Path(__file__).parents[2] / "tests" / "support" / "java"
_TOMCAT: Final = Path("/usr/share/tomcat10")
_SMALL: Final = (
    "-Xms16m",
    "-Xmx192m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    "-Djava.awt.headless=true",
)


def why_not() -> str | None:
    """Why JVMs cannot be tested here, or None."""
    for program in ("java", "javac", "keytool", "openssl"):
        if shutil.which(program) is None:
            return f"missing: {program} (deploy/setup installs it)"
    if not (_TOMCAT / "bin" / "bootstrap.jar").exists():
        return "missing: tomcat10 (deploy/setup installs it)"
    return without_zookeeper()


def compiled(folder: Path) -> Path:
    """Compile the Java sources of the tests; return the folder of classes."""
    sources = [str(path) for path in sorted(_SOURCES.glob("*.java"))]
    subprocess.run(["javac", "-d", str(folder), *sources], check=True, capture_output=True)
    return folder


def java_client(classes: Path, place: str, pattern: str, *more: str) -> list[str]:
    """Return what a Java client reads, a line per value."""
    url = f"service:jmx:rmi:///jndi/rmi://{place}/jmxrmi"
    found = subprocess.run(
        ["java", *_SMALL, "-cp", str(classes), "Reading", url, pattern, *more],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return found.stdout.splitlines()


class Jmx:
    """What makes a JVM answer by JMX on a port: plain, with a password, by TLS, or both ways."""

    def __init__(
        self,
        *,
        login: tuple[str, str] | None = None,
        keys: Path | None = None,
        trust: Path | None = None,
        password: str = "",
        plain_registry: bool = False,
        host: str = "127.0.0.1",
    ) -> None:
        """``keys`` switches TLS on, ``trust`` asks clients for a certificate; both PKCS 12."""
        self.login = login
        self.keys = keys
        self.trust = trust
        self.password = password
        self.plain_registry = plain_registry
        self.host = host

    def options(self, port: int, folder: Path) -> list[str]:
        """Return the words for java."""
        prefix = "com.sun.management.jmxremote"
        found = {
            f"{prefix}.port": port,
            f"{prefix}.host": "127.0.0.1",
            "java.rmi.server.hostname": self.host,
            f"{prefix}.authenticate": "false" if self.login is None else "true",
            f"{prefix}.ssl": "false" if self.keys is None else "true",
        }
        if self.keys is not None:
            found["javax.net.ssl.keyStore"] = self.keys
            found["javax.net.ssl.keyStorePassword"] = self.password
            found[f"{prefix}.registry.ssl"] = "false" if self.plain_registry else "true"
        if self.trust is not None:
            found["javax.net.ssl.trustStore"] = self.trust
            found["javax.net.ssl.trustStorePassword"] = self.password
            found[f"{prefix}.ssl.need.client.auth"] = "true"
        if self.login is not None:
            name, word = self.login
            found[f"{prefix}.password.file"] = _private(folder / "passwords", f"{name} {word}\n")
            found[f"{prefix}.access.file"] = _private(folder / "access", f"{name} readonly\n")
        return [f"-D{key}={value}" for key, value in found.items()]


def _private(path: Path, text: str) -> Path:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)
    return path


class Beans(Server):
    """A JVM of so many beans with eight attributes each, and some odd ones."""

    name = "beans"

    def __init__(
        self, classes: Path, count: int = 10, jmx: Jmx | None = None, main: str = "Beans"
    ) -> None:
        """``classes`` is what ``compiled`` returned; ``Locked`` has deadlocks besides."""
        super().__init__(2)
        self._main = main
        self._classes = classes
        self._beans = count
        self.jmx = jmx or Jmx()

    @property
    def place(self) -> str:
        """Host and port of the registry."""
        return f"127.0.0.1:{self.numbers[0]}"

    @property
    def forgetful(self) -> str:
        """The address of its second server, which forgets logins that are idle for a second."""
        return f"service:jmx:rmi:///jndi/rmi://127.0.0.1:{self.numbers[1]}/forgetful"

    def command(self) -> Sequence[str]:
        """Return the words that start it."""
        options = self.jmx.options(self.numbers[0], self.folder)
        return [
            "java",
            *_SMALL,
            *options,
            "-cp",
            str(self._classes),
            self._main,
            str(self._beans),
            str(self.numbers[1]),
        ]

    def serves(self) -> bool:
        """Say whether its registry can be connected to."""
        return _listens(self.numbers[0])


class JmxZooKeeper(ZooKeeper):
    """ZooKeeper with JMX on."""

    def __init__(self) -> None:
        """Prepare a folder."""
        super().__init__()
        self._count = 2

    @property
    def place(self) -> str:
        """Host and port of the registry."""
        return f"127.0.0.1:{self.numbers[1]}"

    def command(self) -> Sequence[str]:
        """Return the words that start it."""
        java, *words = super().command()
        return [java, *Jmx().options(self.numbers[1], self.folder), *words]

    def serves(self) -> bool:
        """Say whether both answer."""
        return super().serves() and _listens(self.numbers[1])


class Tomcat(Server):
    """Debian's Tomcat 10 without an application."""

    name = "tomcat"

    def __init__(self, jmx: Jmx | None = None) -> None:
        """Prepare a folder."""
        super().__init__(2)
        self.jmx = jmx or Jmx()

    @property
    def place(self) -> str:
        """Host and port of the registry."""
        return f"127.0.0.1:{self.numbers[1]}"

    def command(self) -> Sequence[str]:
        """Write its configuration; return the words that start it."""
        for name in ("conf", "webapps", "temp", "work", "logs"):
            (self.folder / name).mkdir(exist_ok=True)
        (self.folder / "conf" / "server.xml").write_text(
            '<Server port="-1"><Service name="Catalina">'
            f'<Connector port="{self.numbers[0]}" address="127.0.0.1"/>'
            '<Engine name="Catalina" defaultHost="localhost">'
            '<Host name="localhost" appBase="webapps"/></Engine></Service></Server>'
        )
        jars = ":".join(str(_TOMCAT / "bin" / f"{jar}.jar") for jar in ("bootstrap", "tomcat-juli"))
        home = [
            f"-Dcatalina.home={_TOMCAT}",
            f"-Dcatalina.base={self.folder}",
            f"-Djava.io.tmpdir={self.folder / 'temp'}",
        ]
        options = self.jmx.options(self.numbers[1], self.folder)
        main = "org.apache.catalina.startup.Bootstrap"
        return ["java", *_SMALL, *options, *home, "-cp", jars, main, "start"]

    def serves(self) -> bool:
        """Say whether its connector and its registry can be connected to."""
        return _listens(self.numbers[0]) and _listens(self.numbers[1])


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
