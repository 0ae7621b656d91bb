"""The metrics that all dialects of the templater count in."""

from typing import Final

from sidecar.metrics import counter, gauge

__all__ = ["AWAY", "FAILING", "HELD", "OWED", "READS", "RELOADS", "RENDERS", "RESOURCES"]

AWAY: Final = gauge("pinnace_templater_backend_away_count", "Backends that cannot be read.")
READS: Final = counter("pinnace_templater_backend_reads_total", "States taken from backends.")
HELD: Final = counter(
    "pinnace_templater_backend_held_total", "States not believed at first, as most keys were gone."
)
RENDERS: Final = counter(
    "pinnace_templater_renders_total", "Templates rendered, by what came of it.", ["result"]
)
RELOADS: Final = counter(
    "pinnace_templater_reloads_total", "Reload commands run, by what came of it.", ["result"]
)
FAILING: Final = gauge(
    "pinnace_templater_failing_resources", "Resources whose file is not as it should be."
)
OWED: Final = gauge("pinnace_templater_owed_reloads", "Reloads that have yet to succeed.")
RESOURCES: Final = gauge("pinnace_templater_resources", "Template resources that are kept.")
