"""Where the numbers come from by which services are scaled."""
