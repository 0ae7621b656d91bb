"""Keep so many containers of each service running on so many Docker hosts."""
