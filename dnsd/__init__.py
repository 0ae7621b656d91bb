"""The DNS server: names and SRV records from the catalogue."""
