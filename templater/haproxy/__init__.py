"""HAProxy as the load balancer: fixed slots, changed at run time, reloaded only for structure."""
