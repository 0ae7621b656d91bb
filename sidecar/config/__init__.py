"""Settings: frozen types, read from flags, environment, file and defaults, in that order.

Nothing is re-exported: parts that only read a duration or an address need no settings, and the
library behind those is a third of a small process.
"""
