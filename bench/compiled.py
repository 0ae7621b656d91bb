"""The project's packages in a folder, the ambassador's hot modules compiled there by mypyc.

mypyc needs setuptools, so it gets an environment of its own in that folder, by uv.
"""

import importlib.metadata
import shutil
import subprocess
from pathlib import Path

__all__ = ["HOT", "compile_into"]

HOT = (
    "carrier", "client", "connection", "framing", "grouping", "hub", "link", "node", "reading",
    "replies", "run", "servers", "session", "telemetry", "writing",
)  # fmt: skip
_PACKAGES = ("sidecar", "ambassador", "registrar", "templater", "dnsd", "adapter", "typings")
_SETUP = """\
from mypyc.build import mypycify
from setuptools import setup

options = ["--follow-imports=silent", "--ignore-missing-imports"]
setup(name="hot", packages=[], ext_modules=mypycify(options + {files!r}, opt_level="3"))
"""


def compile_into(folder: Path) -> None:
    """Fill a folder with the packages as they are, some modules compiled beside their source."""
    root = Path(__file__).parent.parent
    for name in _PACKAGES:
        shutil.copytree(root / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    files = [f"ambassador/redis/{name}.py" for name in HOT]
    (folder / "build_hot.py").write_text(_SETUP.format(files=files))
    python = folder / "tools" / "bin" / "python"
    version = importlib.metadata.version("mypy")
    install = ["uv", "pip", "install", "-q", "--python", str(python)]
    for command in (
        ["uv", "venv", "-q", str(folder / "tools")],
        [*install, f"mypy=={version}", "setuptools"],
        [str(python), "build_hot.py", "build_ext", "--inplace"],
    ):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
