"""The drop-in for envconsul: a child whose environment follows Consul and Vault."""
