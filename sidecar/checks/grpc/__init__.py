"""The health check of gRPC: one unary call over HTTP/2, and no more of either than it needs."""
