"""The drop-in for confd: its two command lines, its configuration, its functions, its order."""
