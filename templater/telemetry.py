"""What the drivers of proxies count, whichever program the proxy is."""

from typing import Final

from sidecar.metrics import counter, gauge, histogram

__all__ = ["APPLIES", "APPLY_SECONDS", "ENDPOINTS", "FAILURES", "REPAIRS", "RESTARTS"]

APPLIES: Final = counter(
    "pinnace_templater_applies_total", "Changes made live in the proxy, by kind.", ["kind"]
)
APPLY_SECONDS: Final = histogram(
    "pinnace_templater_apply_seconds",
    "From new routes to live.",
    (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
    ["kind"],
)
FAILURES: Final = counter("pinnace_templater_reload_failures_total", "Reloads that failed.")
REPAIRS: Final = counter(
    "pinnace_templater_repairs_total", "Repairs of what ran differently from the file."
)
RESTARTS: Final = counter("pinnace_templater_restarts_total", "Starts of a proxy that had ended.")
ENDPOINTS: Final = gauge("pinnace_templater_endpoints", "Endpoints in the proxy.")
