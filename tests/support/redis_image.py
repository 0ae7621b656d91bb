"""An image with this machine's Redis, in the place of the one that a compose file names."""

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

from deploy.tools.engine import PrivateEngine
from deploy.tools.images import root_tar

__all__ = ["import_redis"]

# As the official image, which lets other containers in.
_SERVER = """#!/bin/sh
exec /usr/bin/redis-server "$@" --protected-mode no
"""


def import_redis(engine: PrivateEngine, tag: str) -> None:
    """Import it under a tag."""
    buffer = io.BytesIO(root_tar({"bin/redis-server": _SERVER}))
    with tarfile.open(fileobj=buffer, mode="a") as tar:
        for name in ("redis-server", "redis-cli"):
            program = shutil.which(name)
            assert program is not None, f"{name} is missing (deploy/setup installs it)"
            for path in (Path(program), *libraries_of(program)):
                if str(path)[1:] not in tar.getnames():
                    tar.add(path.resolve(), str(path)[1:], recursive=False)
    command = 'CMD ["redis-server"]'
    variable = "ENV PATH=/bin:/usr/bin"
    engine.docker("import", "-c", command, "-c", variable, "-", tag, stdin=buffer.getvalue())


def libraries_of(program: str) -> list[Path]:
    """Return the libraries that a program loads, its loader included."""
    told = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    return [Path(word) for line in told.splitlines() for word in line.split() if word[0] == "/"]
