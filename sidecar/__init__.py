"""Pinnace: service discovery and dynamic load balancing as sidecars.

This package holds what every part shares. It imports nothing itself, so that a part that needs
only ``sidecar.catalog`` never loads the composition root.
"""

__version__ = "0.1.0"
