"""Images with this machine's git, nginx and Python, and Pinnace as it is in this repository.

They stand in the place of images that a registry would give: what a program needs is looked up
where it is installed, and packed at the same paths.
"""

import io
import os
import shutil
import sys
import sysconfig
import tarfile
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Final

from deploy.tools.engine import PrivateEngine
from deploy.tools.images import root_tar
from tests.support.redis_image import libraries_of

__all__ = ["import_git_sync", "import_nginx"]

_REPOSITORY: Final = Path(__file__).parents[2]
_SITE: Final = "opt/site"
_USELESS: Final = frozenset(
    {"test", "tests", "site-packages", "dist-packages", "idlelib", "tkinter", "lib2to3",
     "ensurepip", "turtledemo", "pydoc_data", "distutils", "__pycache__"}
)  # fmt: skip
_RUNTIME: Final = (
    "aiohappyeyeballs", "aiohttp", "aiosignal", "attrs", "frozenlist", "idna", "msgspec",
    "multidict", "prometheus-client", "propcache", "pyyaml", "typing-extensions", "uvloop", "yarl",
)  # fmt: skip
_USERS: Final = {"etc/passwd": "root:x:0:0::/:/bin/sh\n", "etc/group": "root:x:0:\n"}
_NGINX: Final = """
user root; daemon off; worker_processes 1; error_log stderr;
events {}
http { access_log off; include /etc/nginx/conf.d/*.conf; }
"""


class _Root:
    """A root file system with busybox and more."""

    def __init__(self, scripts: dict[str, str]) -> None:
        self._buffer = io.BytesIO(root_tar(scripts))
        self._tar = tarfile.open(fileobj=self._buffer, mode="a")  # noqa: SIM115
        self._names = {*self._tar.getnames()}

    def add(self, path: Path, name: str = "") -> None:
        """Add a file, by default where it is."""
        name = name or str(path)[1:]
        if name not in self._names:
            self._names.add(name)
            self._tar.add(path.resolve(), name, recursive=False)

    def add_program(self, name: str) -> None:
        """Add a program and its libraries."""
        program = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
        assert program is not None, f"{name} is missing (deploy/setup installs it)"
        self.add(Path(program))
        self.add_all(libraries_of(program))

    def add_all(self, paths: Iterable[Path]) -> None:
        """Add files where they are."""
        for path in paths:
            self.add(path)

    def add_module(self, path: Path, name: str) -> None:
        """Add a file of Python's, with the libraries that it loads."""
        self.add(path, name)
        if path.suffix == ".so":
            self.add_all(libraries_of(str(path)))

    def add_folder(self, name: str) -> None:
        """Add an empty folder."""
        entry = tarfile.TarInfo(name)
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
        self._tar.addfile(entry)

    def packed(self) -> bytes:
        """Return it as a tar archive."""
        self._tar.close()
        return self._buffer.getvalue()


def import_nginx(engine: PrivateEngine, tag: str) -> None:
    """Import nginx under a tag; it reads ``/etc/nginx/conf.d``, as the official image does."""
    root = _Root({"etc/nginx/nginx.conf": _NGINX, **_USERS})
    root.add_program("nginx")
    for name in ("var/lib/nginx", "var/log/nginx", "run", "usr/share/nginx"):
        root.add_folder(name)
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    engine.docker(
        "import", "-c", f'CMD ["{program}", "-c", "/etc/nginx/nginx.conf"]', "-c", "EXPOSE 80",
        "-", tag, stdin=root.packed(),
    )  # fmt: skip


def import_git_sync(engine: PrivateEngine, tag: str) -> None:
    """Import what ``deploy/git-sync.Dockerfile`` makes under a tag, as far as git-sync needs it."""
    python = Path(sys.executable).resolve()
    script = f"#!{python}\nimport sys\nfrom sidecar.cli import main\nsys.exit(main())\n"
    root = _Root({"bin/pinnace": script, "bin/git-sync": script, **_USERS})
    root.add_program("git")
    root.add_program("git-upload-pack")
    root.add(python)
    root.add_all(libraries_of(str(python)))
    stdlib = Path(sysconfig.get_path("stdlib"))
    for path in _files(stdlib):
        root.add_module(path, str(path)[1:])
    for each in _RUNTIME:
        for file in metadata.files(each) or ():
            if file.suffix in {".py", ".so"}:
                root.add_module(Path(str(file.locate())), f"{_SITE}/{file}")
    for path in _files(_REPOSITORY / "sidecar"):
        root.add(path, f"{_SITE}/{path.relative_to(_REPOSITORY)}")
    engine.docker(
        "import", "-c", 'ENTRYPOINT ["git-sync"]', "-c", f"ENV PYTHONPATH=/{_SITE}",
        "-c", "ENV PATH=/bin:/usr/bin", "-c", "ENV HOME=/", "-", tag, stdin=root.packed(),
    )  # fmt: skip


def _files(folder: Path) -> Iterable[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            if path.name not in _USELESS and not path.name.startswith("config-"):
                yield from _files(path)
        elif path.suffix in {".py", ".so"}:
            yield path
