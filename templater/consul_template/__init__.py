"""The drop-in for consul-template and envconsul."""
