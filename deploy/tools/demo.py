"""`make demo`: the main job on real containers, each step with its command, output and verdict.

    python -m deploy.tools.demo           stays up at the end, until Ctrl-C
    python -m deploy.tools.demo --once    runs through; exit status 0 only if every verdict is good

Whatever happens, what it started is removed.
"""

import argparse
import contextlib
import json
import signal
import sys
import threading
from typing import NoReturn

from deploy.tools.demo_steps import STEPS, start_containers
from deploy.tools.engine import EngineError
from deploy.tools.terminal import Screen
from deploy.tools.trial import Failed, Trial, any_engine

__all__ = ["main"]


def main() -> int:
    """Show everything; return the exit status."""
    parser = argparse.ArgumentParser(description="Show the main job on real containers.")
    parser.add_argument("--once", action="store_true", help="run through, clean up, end")
    options = parser.parse_args()
    screen = Screen()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with contextlib.ExitStack() as stack:
            engine = stack.enter_context(any_engine(screen.note))
            trial = Trial(engine, screen.note)
            stack.callback(trial.close)
            stack.callback(_clean_in_peace, screen)
            _show(screen, trial)
            screen.summary()
            if not options.once:
                _stay(screen, trial)
    except KeyboardInterrupt:
        screen.note("interrupted; everything is removed")
        return 130
    except (Failed, EngineError) as error:
        screen.verdict(False, str(error))
        screen.summary()
    return 0 if screen.all_good else 1


def _show(screen: Screen, trial: Trial) -> None:
    trial.build_images()
    took = trial.start_pinnace()
    screen.note(f"pinnace up is ready after {took * 1000:.0f} ms:")
    screen.note(" ".join(["pinnace", *trial.pinnace_command()[1:]]))
    if {"web", "echo"} & set(json.loads(trial.get("/v1/catalog/services")[1])):
        raise Failed("this engine already runs containers of services web or echo")
    start_containers(screen, trial)
    for step in STEPS:
        try:
            step(screen, trial)
        except Failed as failure:
            screen.verdict(False, str(failure))
    if not screen.all_good:
        screen.note(f"the last lines of pinnace:\n{trial.log_tail()}")


def _stay(screen: Screen, trial: Trial) -> None:
    with contextlib.suppress(KeyboardInterrupt):
        screen.note("Everything stays up until Ctrl-C. Try it:")
        screen.note(f"  dig @127.0.0.1 -p {trial.ports['dns']} web.service.consul SRV")
        screen.note(f"  curl http://web.localhost:{trial.ports['lb']}/")
        screen.note(f"  docker -H {trial.engine.url} ps")
        threading.Event().wait()


def _clean_in_peace(screen: Screen) -> None:
    """From here on a signal is too late: everything is being removed."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    screen.note("removing everything this run started ...")


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
