"""What Registrator and our mapping make of the same containers, side by side.

The original runs against a private engine and a recorder in Consul's place, once per set of flags;
ours maps the same inspect documents. In compat every registration must be equal. In the default
mode differences are printed: they are the ones the README lists. Needs root, Docker, and the
original as ``--program`` (``go install github.com/gliderlabs/registrator@master``).
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from deploy.tools.consul import Consul
from deploy.tools.engine import PrivateEngine
from sidecar import cli
from tests.support.registrator import Bodies, differences, registered

IMAGE = "web"
LABEL = "example.address"
FLAG_SETS: Sequence[Sequence[str]] = (
    (),
    ("-ip", "10.9.8.7"),
    ("-internal",),
    ("-internal", "-ip", "10.9.8.7"),
    ("-explicit",),
    ("-useIpFromLabel", LABEL),
    ("-internal", "-useIpFromLabel", LABEL),
    ("-tags", r"x,y\,z,,w", "-ip", "10.9.8.7"),
    ("-tags", r'f1,{{strSlice .ID 0 3}},{{.Name}},{{join ";" .Config.Cmd}}\,x'),
    ("-tags", "{{range $k, $v := .Config.Labels}}{{$k}}={{$v}},{{end}}{{.HostConfig.NetworkMode}}"),
    ("-tags", '{{toUpper .Config.Image}},{{splitIndex -1 "-" .Name}},{{sIndex 0 .Config.Cmd}}'),
    ("-tags", '{{matchAllElements "^SERVICE_" .Config.Env | join "+"}},{{.State.Running}}'),
    ("-tags", '{{if eq .HostConfig.NetworkMode "host"}}h{{else}}n{{end}},{{len .Config.Env}}'),
)


def _env(*entries: str) -> tuple[str, ...]:
    return tuple(word for entry in entries for word in ("-e", entry))


def _labels(*entries: str) -> tuple[str, ...]:
    return tuple(word for entry in entries for word in ("-l", entry))


TWO = ("-p", "80", "-p", "81")
DNS = ("-p", "53", "-p", "53/udp")
CONTAINERS: dict[str, tuple[str, ...]] = {
    "plain": ("-p", "80"),
    "all": ("-P", "--expose", "7000"),
    "exposed": ("--expose", "7000"),
    "loopback": ("-p", "127.0.0.1::80"),
    "fixed": ("-p", "127.0.0.1:31812:80", "-p", "127.0.0.1:31811:80"),
    "two": TWO,
    "mixed": ("-p", "80", "--expose", "9000"),
    "udp": ("-p", "53/udp"),
    "dns": (*DNS, *_env("SERVICE_NAME=dns", "SERVICE_53_TAGS=t")),
    "named": ("-p", "80", *_env("SERVICE_NAME=n")),
    "named2": (*TWO, *_env("SERVICE_NAME=n")),
    "portname": (*TWO, *_env("SERVICE_80_NAME=only80")),
    "emptyname": (*TWO, *_env("SERVICE_NAME=n", "SERVICE_80_NAME=")),
    "emptyplain": ("-p", "80", *_env("SERVICE_NAME=")),
    "tags": ("-p", "80", *_env(r"SERVICE_TAGS=one,two\,deux,,three, four ")),
    "tagport": (*TWO, *_env("SERVICE_80_TAGS=p", "SERVICE_TAGS=a,b")),
    "oddtags": ("-p", "80", *_env(r"SERVICE_TAGS=\,,a\,\,b\\,c,\\,,")),
    "id": ("-p", "80", *_env("SERVICE_ID=mine")),
    "idboth": (*TWO, *_env("SERVICE_ID=same")),
    "idport": (*TWO, *_env("SERVICE_80_ID=mine")),
    "ignore": ("-p", "80", *_env("SERVICE_IGNORE=false")),
    "ignoreport": (*TWO, *_env("SERVICE_80_IGNORE=1")),
    "ignoreempty": ("-p", "80", *_env("SERVICE_IGNORE=")),
    "meta": ("-p", "80", *_env("SERVICE_A=1", "SERVICE_EMPTY=", "SERVICE_80_B=2",
                               "SERVICE_81_C=3", "service_d=4", "SERVICE_80=hello",
                               "SERVICE_MY_80=w", "SERVICE_080_E=5", "SERVICE_X=a=b",
                               "SERVICE_+80_F=1", "SERVICE_Mixed_Case=v")),
    "labels": ("-p", "80", *_env("SERVICE_NAME=env", "SERVICE_A=env", "SERVICE_80_B=port"),
               *_labels("SERVICE_NAME=label", "SERVICE_A=label", "SERVICE_B=plain")),
    "eqlabel": ("-p", "80", *_labels("SERVICE_A=b=c")),
    "keyodd": ("-p", "80", *_labels("SERVICE_a.b=1", "SERVICE_x/y=2")),
    "deep": ("-p", "80", *_env("SERVICE_80_80_NAME=x", "SERVICE_80_NAME=y")),
    "nokey": ("-p", "80", *_env("SERVICE_=x", "SERVICE_80_=y")),
    "huge": ("-p", "80", *_env("SERVICE_99999999999999999999_NAME=x")),
    "host": ("--network", "host", "--expose", "31052"),
    "hostp": ("--network", "host", "-p", "31053:31054"),
    "none": ("--network", "none", "--expose", "5000"),
    "user": ("--network", "front", "-p", "80"),
    "userinner": ("--network", "front", "--expose", "80"),
    "peer": ("--network", "container:plain"),
    "peeruser": ("--network", "container:user"),
    "peerlabel": ("--network", "container:plain", *_labels(f"{LABEL}=10.1.2.3")),
    "iplabel": ("-p", "80", *_labels(f"{LABEL}=10.1.2.3/24/16")),
    "iplabelbare": ("-p", "80", *_labels(f"{LABEL}=10.1.2.3")),
    "http": ("-p", "80", *_env(
        "SERVICE_CHECK_HTTP=/health", "SERVICE_CHECK_INTERVAL=15s", "SERVICE_CHECK_TIMEOUT=1s",
        "SERVICE_CHECK_HTTP_METHOD=HEAD", "SERVICE_CHECK_INITIAL_STATUS=passing",
        "SERVICE_CHECK_DEREGISTER_AFTER=10m")),
    "https": ("-p", "80", *_env("SERVICE_80_CHECK_HTTPS=/s", "SERVICE_CHECK_HTTPS_METHOD=PUT",
                                "SERVICE_CHECK_TLS_SKIP_VERIFY=1")),
    "both": (*TWO, *_env("SERVICE_CHECK_TCP=false", "SERVICE_80_CHECK_HTTP=/")),
    "ttl": ("-p", "80", *_env("SERVICE_CHECK_TTL=30s", "SERVICE_CHECK_INTERVAL=5s")),
    "tcp": ("-p", "80", *_env("SERVICE_CHECK_TCP=true", "SERVICE_CHECK_TIMEOUT=3s")),
    "grpc": ("-p", "80", *_env("SERVICE_CHECK_GRPC=true", "SERVICE_CHECK_GRPC_USE_TLS=true",
                               "SERVICE_CHECK_TLS_SKIP_VERIFY=true")),
    "cmd": ("-p", "80", *_env("SERVICE_CHECK_CMD=/bin/check -a")),
    "script": ("-p", "80", *_env(
        "SERVICE_CHECK_SCRIPT=nc $SERVICE_IP $SERVICE_PORT; $SERVICE_PORT $SERVICE_PORT")),
    "order": ("-p", "80", *_env("SERVICE_CHECK_TTL=9s", "SERVICE_CHECK_TCP=1",
                                "SERVICE_CHECK_SCRIPT=x", "SERVICE_CHECK_CMD=y")),
    "nocheck": ("-p", "80", *_env("SERVICE_CHECK_INTERVAL=5s", "SERVICE_CHECK_HTTP=")),
    "unicode": ("-p", "80", *_env("SERVICE_NAME=na\u00efve", "SERVICE_TAGS=\u00e9,\U0001f600")),
}  # fmt: skip
IMAGES = {"image": "localhost:5000/ns/my-app:1.2", "imagelib": "my_lib", "imageid": ""}


class Recorder:
    """Answers as a Consul that takes everything, and keeps what was registered."""

    def __init__(self) -> None:
        """Listen on a free port."""
        bodies: list[dict[str, Any]] = []
        self.bodies = bodies

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(b'"127.0.0.1:8300"')

            def do_PUT(self) -> None:
                data = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                if self.path.startswith("/v1/agent/service/register"):
                    bodies.append(json.loads(data))
                self._answer(b"")

            def _answer(self, body: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()


def original(program: str, engine: PrivateEngine, flags: Sequence[str]) -> tuple[Bodies, str]:
    """Return what the original registers, by id and name, and its log."""
    recorder = Recorder()
    environ = {**os.environ, "DOCKER_HOST": engine.url, "GL_DISABLE_VERSION_CHECK": "1"}
    process = subprocess.Popen(
        [program, *flags, f"consul://{recorder.address}"],
        env=environ, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        seen, quiet = -1, 0
        for _ in range(200):
            time.sleep(0.1)
            quiet = quiet + 1 if len(recorder.bodies) == seen else 0
            seen = len(recorder.bodies)
            if seen and quiet >= 8:
                break
    finally:
        process.terminate()
        _, log = process.communicate(timeout=10)
        recorder.close()
    return {f"{body['ID']} {body['Name']}": body for body in recorder.bodies}, log


def resolved(name: str) -> str:
    """Return the address a host name has, as the original finds it."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError:
        return "0.0.0.0"
    return next((str(f[4][0]) for f in found if f[0] == socket.AF_INET), str(found[0][4][0]))


@contextmanager
def populated() -> Iterator[tuple[PrivateEngine, dict[str, dict[str, Any]]]]:
    """Yield an engine with all containers, and their inspect documents."""
    with PrivateEngine() as engine:
        engine.build_images(IMAGE)
        engine.docker("network", "create", "front")
        for name, options in CONTAINERS.items():
            engine.docker("run", "-d", "--name", name, *options, IMAGE, "sleep", "3600")
        for name, image in IMAGES.items():
            image = image or engine.docker("inspect", "-f", "{{.Id}}", IMAGE).strip()  # noqa: PLW2901
            if not image.startswith("sha256:"):
                engine.docker("tag", IMAGE, image)
            engine.docker("run", "-d", "--name", name, "-p", "80", image, "sleep", "3600")
        names = [*CONTAINERS, *IMAGES]
        found = json.loads(engine.docker("inspect", *names))
        yield engine, dict(zip(names, found, strict=True))


def compare(
    program: str, engine: PrivateEngine, documents: dict[str, dict[str, Any]], *, show: bool
) -> tuple[int, list[dict[str, Any]]]:
    """Compare all sets of flags; return the number of differences in compat, and what was seen."""
    wrong, seen = 0, []
    node = socket.gethostname()
    for flags in FLAG_SETS:
        theirs, log = original(program, engine, flags)
        for mode in ("compat", "default"):
            extra = ["-compat"] if mode == "compat" else []
            own = registered(documents, [*flags, *extra], node=node, address=resolved(node))
            found = list(differences(theirs, own))
            print(f"{mode} {' '.join(flags)}: {len(theirs)} registered, {len(found)} differ")
            if mode == "compat":
                wrong += len(found)
            if show or mode == "compat":
                print("".join(f"    {line}\n" for line in found), end="")
        if not theirs:
            print(log[-2000:])
        seen.append({"flags": flags, "registered": theirs})
    return wrong, seen


def agent(consul: Consul) -> Bodies:
    """Return the services and checks of an agent, without what its clock and indexes say."""
    _, services = consul.get("/v1/agent/services")
    _, checks = consul.get("/v1/agent/checks")
    kept = ("Name", "ServiceID", "ServiceName", "ServiceTags", "Type", "Definition")
    found: Bodies = {id_: {**service, "Tags": service["Tags"]} for id_, service in services.items()}
    for id_, check in checks.items():
        found[f"check {id_}"] = {key: check.get(key) for key in kept}
    return found


def held(command: Sequence[str], engine: PrivateEngine, least: int, *flags: str) -> Bodies:
    """Return what a Consul of its own holds after a registrar looked at all containers."""
    environ = {**os.environ, "DOCKER_HOST": engine.url, "GL_DISABLE_VERSION_CHECK": "1"}
    with Consul(quiet=True) as consul:
        process = subprocess.Popen(
            [*command, *flags, consul.url.replace("http:", "consul:")],
            env=environ, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            found: Bodies = {}
            for _ in range(100):
                time.sleep(0.2)
                before, found = found, agent(consul)
                if len(found) >= least and found == before:
                    break
        finally:
            process.terminate()
            _, log = process.communicate(timeout=20)
        if len(found) < least:
            print(log[-3000:])
        return found


def live(program: str, engine: PrivateEngine, *, show: bool) -> int:
    """Compare what two real Consuls hold after the original and our program."""
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / "registrator"
        link.symlink_to(cli.__file__)
        own = (sys.executable, str(link))
        for flags, least in ((("-ip", "10.9.8.7"), 50), (("-internal",), 50), (("-explicit",), 8)):
            theirs = held([program], engine, least, *flags)
            theirs.pop("same", None)  # of two services with one id either may be there
            for mode in (("-compat",), ()):
                ours = held(own, engine, least, *mode, *flags)
                ours.pop("same", None)
                found = list(differences(theirs, ours))
                print(f"live {' '.join((*mode, *flags))}: {len(theirs)} held, {len(found)} differ")
                if mode:
                    wrong += len(found)
                if show or mode:
                    print("".join(f"    {line}\n" for line in found), end="")
    return wrong


def trimmed(document: dict[str, Any]) -> dict[str, Any]:
    """Return what of a document the mapping and the templates look at."""
    wanted = {
        "State": ("Running", "Status", "StartedAt"),
        "Config": ("Hostname", "Image", "Env", "Labels", "ExposedPorts", "Cmd"),
        "HostConfig": ("NetworkMode",),
        "NetworkSettings": ("Ports", "IPAddress"),
    }
    found = {key: {k: document[key][k] for k in keys} for key, keys in wanted.items()}
    networks = document["NetworkSettings"]["Networks"].items()
    found["NetworkSettings"]["Networks"] = {n: {"IPAddress": e["IPAddress"]} for n, e in networks}
    return {"Id": document["Id"], "Name": document["Name"]} | found


def recording(node: str, address: str, kept: dict[str, Any], seen: list[dict[str, Any]]) -> str:
    """Return a document with a line per container and per run."""

    def line(value: object) -> str:
        return json.dumps(value, sort_keys=True, separators=(",", ":"))

    containers = ",\n".join(f"{line(name)}:{line(each)}" for name, each in sorted(kept.items()))
    runs = ",\n".join(map(line, seen))
    head = f'"node":{line(node)},"address":{line(address)}'
    return f'{{{head},"containers":{{\n{containers}\n}},"runs":[\n{runs}\n]}}\n'


def main() -> int:
    """Run on a private engine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", default="registrator", help="the original")
    parser.add_argument("--show", action="store_true", help="show what the default mode corrects")
    parser.add_argument("--live", action="store_true", help="our whole program, on real Consuls")
    parser.add_argument("--record", metavar="FILE", help="keep what was seen, for tests/compat")
    options = parser.parse_args()
    with populated() as (engine, documents):
        if options.live:
            return int(live(options.program, engine, show=options.show) > 0)
        wrong, seen = compare(options.program, engine, documents, show=options.show)
    if options.record:
        node = socket.gethostname()
        kept = {name: trimmed(document) for name, document in documents.items()}
        Path(options.record).write_text(recording(node, resolved(node), kept, seen))
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
