"""The templater: load balancer configuration (and files) from the catalogue."""
