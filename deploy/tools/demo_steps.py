"""The steps of the demonstration; each shows one promise with real output and judges it."""

import re
import subprocess
import time
from collections.abc import Iterable
from typing import Final

from deploy.tools.load import Load
from deploy.tools.terminal import Screen
from deploy.tools.trial import Trial, until

__all__ = ["STEPS", "start_containers"]

_LOAD_PAUSE: Final = 0.005
_LOAD_PATHS: Final = ("/",) * 6 + ("/cgi-bin/slow?300",) * 2
_SRV: Final = re.compile(r"^\d+ \d+ (\d+) ", re.MULTILINE)


def start_containers(screen: Screen, trial: Trial) -> None:
    """Start three containers of `web` and one of `echo`."""
    _start_web(trial, 1, 2, 3)
    listen = f"pinnace.tcp.listen={trial.ports['tcp']}"
    trial.container("echo-1", "--label", listen, image="echo", port=7000)
    screen.note("started three containers of image web and one of image echo")


def discovery(screen: Screen, trial: Trial) -> None:
    """The catalogue has what Docker runs."""
    screen.headline("Discovery: the containers are in the catalogue, nothing was configured")
    expected = _ports(trial, 1, 2, 3)
    until(lambda: set(trial.instances("web")) == expected, "three instances of web")
    until(lambda: len(trial.instances("echo")) == 1, "one instance of echo")
    _shell(screen, trial, f"docker ps --filter label=pinnace.demo={trial.run_id} "
           "--format 'table {{.Names}}\\t{{.Image}}\\t{{.Ports}}'")  # fmt: skip
    _shell(screen, trial, f"curl -s http://127.0.0.1:{trial.ports['http']}/v1/catalog/services")
    rows = [("SERVICE", "ADDRESS", "STATE"), *_catalogue(trial)]
    screen.note("\n".join(f"{row[0]:10}{row[1]:20}{row[2]}" for row in rows))
    screen.verdict(
        len(rows) == 5, "three instances of web and one of echo, as Docker published them"
    )


def srv_answers(screen: Screen, trial: Trial) -> None:
    """DNS says where each instance is."""
    screen.headline("DNS: SRV gives address and port of every instance")
    expected = _ports(trial, 1, 2, 3)
    _await_dns(trial, expected)
    answer = _shell(screen, trial, _dig(trial, "+noall +answer +additional"))
    found = {int(line.split()[6]) for line in answer.splitlines() if "\tSRV\t" in line}
    screen.verdict(found == expected, f"ports {_words(found)} are what Docker published")


def balancing(screen: Screen, trial: Trial) -> None:
    """HAProxy spreads requests over all instances."""
    screen.headline("Load balancing: HAProxy spreads requests over all three")
    _await_balance(trial, {"web-1", "web-2", "web-3"})
    names = _requests(screen, trial, 9)
    screen.verdict(names == {"web-1", "web-2", "web-3"}, f"answers came from {_words(names)}")


def tcp_service(screen: Screen, trial: Trial) -> None:
    """A label makes a TCP listener."""
    port = trial.ports["tcp"]
    screen.headline(f"TCP: label pinnace.tcp.listen={port} opened a listener")
    line = f"echo hello | busybox nc -w 2 127.0.0.1 {port}"
    until(lambda: _quietly(line).split() == ["echo-1", "hello"], "the echo through its listener")
    said = _shell(screen, trial, line).split()
    screen.verdict(said == ["echo-1", "hello"], "echo-1 greeted and repeated what it was told")


def sudden_death(screen: Screen, trial: Trial) -> None:
    """A killed container leaves DNS and HAProxy."""
    screen.headline("Kill: a container that dies is gone from the answers")
    left = _ports(trial, 1, 3)
    _shell(screen, trial, f"docker rm -f {trial.name('web-2')}")
    took = _await_dns(trial, left)
    found = _srv_ports(_shell(screen, trial, _dig(trial, "+short")))
    _await_balance(trial, {"web-1", "web-3"})
    names = _requests(screen, trial, 8)
    good = found == left and names == {"web-1", "web-3"}
    screen.verdict(good, f"gone from DNS {took * 1000:.0f} ms later; answers from {_words(names)}")


def stop_under_load(screen: Screen, trial: Trial) -> None:
    """An orderly stop costs no request."""
    screen.headline("docker stop under load: no request fails")
    clients = len(_LOAD_PATHS)
    screen.note(f"{clients} keep-alive clients send requests, two of them slow ones (300 ms)")
    with Load(trial.ports["lb"], "web.localhost", _LOAD_PATHS, pause=_LOAD_PAUSE) as load:
        until(lambda: load.total > 200 and len(load.answers) == 2, "the load runs on both")
        _shell(screen, trial, f"docker stop {trial.name('web-3')}")
        stopped = time.monotonic()
        time.sleep(1.0)  # the load goes on without it
    for name in sorted(load.answers):
        screen.note(f"{name}: {load.answers[name]} answers")
    for failure in load.failures[:5]:
        screen.note(f"failed: {failure}")
    after = load.last_answer["web-3"] < stopped
    good = not load.failures and after and load.last_answer["web-1"] > stopped
    screen.verdict(good, f"{load.total} requests, {len(load.failures)} failed")


def scale(screen: Screen, trial: Trial) -> None:
    """More containers are found and used."""
    screen.headline("Scale to five: new containers are found and used")
    _start_web(trial, 4, 5, 6, 7)
    expected = _ports(trial, 1, 4, 5, 6, 7)
    took = _await_dns(trial, expected)
    found = _srv_ports(_shell(screen, trial, _dig(trial, "+short")))
    _await_balance(trial, {"web-1", "web-4", "web-5", "web-6", "web-7"})
    names = _requests(screen, trial, 10)
    good = found == expected and len(names) == 5
    screen.verdict(good, f"all in DNS {took * 1000:.0f} ms later; answers from {_words(names)}")


STEPS: Final = (
    discovery,
    srv_answers,
    balancing,
    tcp_service,
    sudden_death,
    stop_under_load,
    scale,
)


def _start_web(trial: Trial, *numbers: int) -> None:
    for number in numbers:
        trial.container(f"web-{number}", image="web", port=80)


def _ports(trial: Trial, *numbers: int) -> set[int]:
    """Return the ports where these containers of `web` are published, as Docker says."""
    return {trial.published(f"web-{number}", 80) for number in numbers}


def _catalogue(trial: Trial) -> Iterable[tuple[str, str, str]]:
    for service in ("web", "echo"):
        for port, entry in sorted(trial.instances(service).items()):
            states = {check["Status"] for check in entry["Checks"]} or {"passing"}
            yield service, f"{entry['Service']['Address']}:{port}", _words(states)


def _dig(trial: Trial, options: str) -> str:
    return f"dig {options} @127.0.0.1 -p {trial.ports['dns']} web.service.consul SRV"


def _srv_ports(short: str) -> set[int]:
    return {int(port) for port in _SRV.findall(short)}


def _await_dns(trial: Trial, ports: set[int]) -> float:
    line = _dig(trial, "+short +tries=1 +time=1")
    return until(lambda: _srv_ports(_quietly(line)) == ports, f"SRV answers {_words(ports)}")


def _await_balance(trial: Trial, names: set[str]) -> None:
    def seen() -> set[str]:
        return {trial.fetch("web.localhost") for _ in range(3 * len(names))}

    until(lambda: seen() == names, f"answers of {_words(names)} through the load balancer")


def _requests(screen: Screen, trial: Trial, count: int) -> set[str]:
    """Show so many requests of curl and who answered; return the names."""
    url = f"http://web.localhost:{trial.ports['lb']}/"
    loop = f"for i in $(seq {count}); do curl -s {url}; done | sort | uniq -c"
    return set(_shell(screen, trial, loop).split()[1::2])


def _shell(screen: Screen, trial: Trial, line: str) -> str:
    return screen.command(line, env=trial.environment())


def _quietly(line: str) -> str:
    """Run a shell line unseen and return what it printed."""
    done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, check=False)
    return done.stdout


def _words(names: Iterable[object]) -> str:
    return ", ".join(sorted(map(str, names))) or "none"
