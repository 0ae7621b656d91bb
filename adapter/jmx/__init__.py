"""JMX to Prometheus without a JVM: the standalone jmx_exporter's job in Python."""
