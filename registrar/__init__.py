"""The registrar: containers of a Docker engine as instances of services."""
