"""The ambassador's hot modules compiled by mypyc, unchanged, in a temporary folder.

    python -m bench.compiled [--mutations 200000]

Feeds both forms the same mutated commands and replies and compares what they make of each
(``bench.ambassador --compiled`` measures them). mypyc needs setuptools, so it gets an environment
of its own in that folder, by uv. The cluster's modules stay as they are, and do not work there:
they narrow attributes, which classes in compiled form cannot.
"""

import argparse
import importlib.metadata
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

__all__ = ["HOT", "compile_into"]

HOT = (
    "carrier", "client", "connection", "framing", "grouping", "habits", "hub", "link", "node",
    "reading", "replies", "run", "sending", "servers", "session", "skipping", "slowlog", "spares",
    "writing",
)  # fmt: skip
_ROOT = Path(__file__).parent.parent
_PACKAGES = ("sidecar", "ambassador", "registrar", "templater", "dnsd", "adapter", "typings")
_SETUP = """\
from mypyc.build import mypycify
from setuptools import setup

options = ["--follow-imports=silent", "--ignore-missing-imports"]
setup(name="hot", packages=[], ext_modules=mypycify(options + {files!r}, opt_level="3"))
"""
_FED = """\
import hashlib, random, sys
from ambassador.redis import framing, habits, replies, skipping
from ambassador.redis.resp import packed
from sidecar.errors import ProtocolError

draw, seen, habit = random.Random(3), hashlib.sha256(), habits.Habit()
COMMANDS = packed(b"SET", b"key", b"value") * 3 + packed(b"MSET", *[b"x"] * 9) + b"PING\\r\\n"
LONG = packed(b"SET", b"key", b"x" * 110) * 2 + packed(b"SET", b"k", b"x" * 100, b"EX", b"60")
REPLIES = b"+OK $3 abc *2 :1 $-1 %1 +a +b >1 +x -ERR ".replace(b" ", b"\\r\\n")
BULKS = (b"$101\\r\\n" + b"x" * 101 + b"\\r\\n") * 3

def mutated(good):
    data = bytearray(good)
    for _ in range(draw.randrange(4)):
        data[draw.randrange(len(data))] = draw.choice(b"*$+-:>%\\r\\n0129x")
    at = draw.randrange(len(data))
    return bytes(data[:at]), bytes(data[at:])

for _ in range(int(sys.argv[1])):
    long = draw.random() < 0.3
    requests, framer, at = framing.Requests(), replies.Replies(takes_pushes=True), 0
    for piece in mutated(LONG if long else COMMANDS):
        seen.update(repr(skipping.alike(piece, 1000)).encode())
        habit.expect(draw.choice((1, 2, 3)))
        for _ in range(draw.randrange(12)):
            seen.update(repr((habit.knows(piece), habit.word, habit.count)).encode())
        seen.update(repr((requests.split(piece), requests.failure)).encode())
    try:
        for piece in mutated(BULKS + REPLIES if long else REPLIES):
            at = 0
            while at < len(piece):
                at, done = framer.take(piece, at, 3)
                seen.update(repr((at, done, framer.has_error, framer.pushes)).encode())
    except ProtocolError as wrong:
        seen.update(str(wrong).encode())
print(framing.__file__.rpartition(".")[2], replies.__file__.rpartition(".")[2], seen.hexdigest())
"""


def compile_into(folder: Path) -> None:
    """Fill a folder with the packages as they are, some modules compiled beside their source."""
    for name in _PACKAGES:
        shutil.copytree(_ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    files = [f"ambassador/redis/{name}.py" for name in HOT]
    (folder / "build_hot.py").write_text(_SETUP.format(files=files))
    python = folder / "tools" / "bin" / "python"
    version = importlib.metadata.version("mypy")
    install = ["uv", "pip", "install", "-q", "--python", str(python)]
    for command in (
        ["uv", "venv", "-q", "--python", sys.executable, str(folder / "tools")],
        [*install, f"mypy=={version}", "setuptools"],
        [str(python), "build_hot.py", "build_ext", "--inplace"],
    ):
        done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stdout + done.stderr)


def main() -> int:
    """Compare the forms."""
    parser = argparse.ArgumentParser(prog="bench.compiled")
    parser.add_argument("--mutations", type=int, default=200_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        compile_into(Path(name))
        pure, compiled = (fed(folder, args.mutations) for folder in (_ROOT, Path(name)))
    print(f"as it is: {pure}\ncompiled: {compiled}")
    is_same = pure.split()[2] == compiled.split()[2] and compiled.split()[:2] == ["so", "so"]
    print(f"{args.mutations} mutations: {'the same' if is_same else 'DIFFERENT'}")
    return 0 if is_same else 1


def fed(folder: Path, mutations: int) -> str:
    """Return which form a folder has, and a sum of all that it makes of the mutations."""
    command = [sys.executable, "-c", _FED, str(mutations)]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


if __name__ == "__main__":
    raise SystemExit(main())
