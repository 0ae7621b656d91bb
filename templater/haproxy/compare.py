"""Reads back what HAProxy runs and compares it with a model."""

from sidecar.runtime.log import get_logger
from templater.haproxy import plan
from templater.haproxy.model import BackendName, Model, certificate_file
from templater.haproxy.runtime import Runtime
from templater.names import Wildcard

__all__ = ["differences"]

_log = get_logger("lb")


async def differences(
    runtime: Runtime, model: Model, names: list[BackendName] | None, *, maps: bool
) -> tuple[tuple[str, ...] | None, tuple[tuple[Wildcard, BackendName], ...] | None]:
    """Return the repairing commands (None: no command helps) and wildcards if they differ.

    ``names`` are the backends to look at, None means all; ``maps`` says whether to look there.
    """
    actual = await runtime.servers(names)
    backends = [model.backends[name] for name in (model.backends if names is None else names)]
    if (lost := plan.missing(backends, actual)) is not None:
        _log.warning("a slot of the file does not run", slot=lost)
        return None, None
    if names is None and not await _has_certificates(runtime, model):
        return None, None
    commands = plan.repairs(backends, actual)
    if not maps:
        return commands, None
    commands += plan.map_repairs(await runtime.hosts(), model.hosts)
    commands += plan.path_repairs(await runtime.paths(), model.paths)
    if model.front is not None:
        commands += plan.policy_repairs(await runtime.policies(), model.policies)
    same = await runtime.wildcards() == list(model.wildcards)
    same = same and await runtime.sites() == [part for part, _ in model.wildcards]
    return commands, None if same else model.wildcards


async def _has_certificates(runtime: Runtime, model: Model) -> bool:
    running = await runtime.fingerprints(model.certificates)
    for name, one in model.certificates.items():
        if running.get(certificate_file(name)) != one.fingerprint:
            _log.warning("another certificate runs than the file's", certificate=name)
            return False
    return True
