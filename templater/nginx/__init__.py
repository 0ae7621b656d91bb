"""nginx as the load balancer: rendered anew and reloaded at each change."""
