"""Tiny local images, built in memory from this machine's static busybox: no registry is asked."""

import io
import shutil
import tarfile
from pathlib import Path
from typing import Protocol

__all__ = ["IMAGES", "import_image", "static_busybox"]

# In PATH inside the images. busybox finds the applet by the name it is called by.
_APPLETS = """
    sh cat cp date echo env hostname httpd id kill ls mkdir nc pidof printf ps rm sed sleep sync
    test touch true usleep wget
"""

# Ends as a good backend should: no new connection, what runs is finished, then out.
_WEB = """#!/bin/sh
mkdir -p /www/cgi-bin
hostname > /www/index.html
httpd -f -p "${PORT:-80}" -h /www &
listener=$!
trap 'usleep "${LINGER_US:-0}"; kill "$listener"' TERM INT
wait "$listener"
while pidof httpd > /dev/null; do usleep 20000; done
exit 0
"""

# GET /cgi-bin/slow?MILLISECONDS
_SLOW = """#!/bin/sh
usleep "${QUERY_STRING:-100}000"
printf 'Content-Type: text/plain\\r\\n\\r\\n'
hostname
"""

# Says its host name, then repeats what it is told.
_ECHO = """#!/bin/sh
nc -ll -p "${PORT:-7000}" -e /bin/greet &
listener=$!
trap 'kill "$listener"; exit 0' TERM INT
wait "$listener"
"""

_GREET = """#!/bin/sh
hostname
exec cat
"""


def static_busybox() -> Path:
    """Find a busybox that needs no library; Debian calls the package busybox-static."""
    found = shutil.which("busybox")
    if found is None:
        raise RuntimeError("busybox is missing: install the package busybox-static")
    path = Path(found).resolve()
    # A dynamic program names its loader (PT_INTERP) near the start of the file.
    if b"/ld-linux" in path.read_bytes()[:4096]:
        raise RuntimeError(f"{path} is not static: install the package busybox-static")
    return path


def root_tar(scripts: dict[str, str]) -> bytes:
    """A root file system with busybox and the scripts, as a tar stream for `docker import`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for folder in ("bin", "etc", "tmp", "www", "www/cgi-bin"):
            _add_folder(tar, folder)
        _add(tar, "bin/busybox", static_busybox().read_bytes())
        for applet in _APPLETS.split():
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type = tarfile.SYMTYPE
            link.linkname = "busybox"
            tar.addfile(link)
        for path, text in scripts.items():
            _add(tar, path, text.encode())
    return buffer.getvalue()


def _add_folder(tar: tarfile.TarFile, name: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.type = tarfile.DIRTYPE
    entry.mode = 0o1777 if name == "tmp" else 0o755
    tar.addfile(entry)


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    entry.mode = 0o755
    tar.addfile(entry, io.BytesIO(content))


def web_image() -> tuple[bytes, tuple[str, ...]]:
    """An HTTP server that answers its host name: `/` at once, `/cgi-bin/slow?MS` later."""
    scripts = {"bin/web": _WEB, "www/cgi-bin/slow": _SLOW}
    return root_tar(scripts), ('ENTRYPOINT ["/bin/web"]', "EXPOSE 80")


def echo_image() -> tuple[bytes, tuple[str, ...]]:
    """A TCP server on 7000 that says its host name and then repeats what it is told."""
    return root_tar({"bin/echod": _ECHO, "bin/greet": _GREET}), (
        'ENTRYPOINT ["/bin/echod"]',
        "EXPOSE 7000",
    )


IMAGES = {"web": web_image, "echo": echo_image}


class Importer(Protocol):
    """An engine that takes images."""

    def docker(self, *args: str, stdin: bytes | None = None) -> str:
        """Run the docker command line."""


def import_image(engine: Importer, name: str, tag: str) -> None:
    """Import one of the tiny images under this tag."""
    content, settings = IMAGES[name]()
    changes = [word for setting in settings for word in ("-c", setting)]
    engine.docker("import", *changes, "-", tag, stdin=content)
