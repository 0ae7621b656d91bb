"""Containers of one test: started by the docker command line, removed at its end."""

import uuid

from deploy.tools.engine import EngineError, PrivateEngine

__all__ = ["Containers"]

_TAKEN = "address already in use"
_TRIES = 20


class Containers:
    """Starts containers of the tiny images and remembers them."""

    def __init__(self, engine: PrivateEngine) -> None:
        """Use this engine; names get a prefix of their own."""
        self.engine = engine
        self._prefix = uuid.uuid4().hex[:6]
        self._names: list[str] = []

    def name(self, short: str) -> str:
        """Return the full name (and host name) of a container of this test."""
        return f"{short}-{self._prefix}"

    def run(
        self,
        short: str,
        *options: str,
        image: str = "web",
        publish: bool = True,
        command: tuple[str, ...] = (),
    ) -> str:
        """Start a container, return its full name, which it also answers as its host name."""
        name = self.name(short)
        self._names.append(name)
        words = [
            "run", "-d", "--name", name, "--hostname", name,
            *(("-P",) if publish else ()), *options, image, *command,
        ]  # fmt: skip
        for _ in range(_TRIES):
            try:
                self.engine.docker(*words)
            except EngineError as error:
                if _TAKEN not in str(error):
                    raise
                self.engine.docker("rm", "-f", name)  # another engine has that port; take the next
            else:
                return name
        raise EngineError(f"no free port for {name}")

    def port(self, name: str, inner: str = "80/tcp") -> int:
        """Return the host port a container port is published at."""
        return int(self.engine.docker("port", name, inner).splitlines()[0].rpartition(":")[2])

    def stop(self, name: str) -> None:
        """``docker stop``."""
        self.engine.docker("stop", name)

    def remove(self, *names: str) -> None:
        """``docker rm -f``."""
        self.engine.docker("rm", "-f", *names)

    def clean(self) -> None:
        """Remove every container of this test."""
        if self._names:
            self.engine.docker("rm", "-f", "-v", *self._names, check=False)
