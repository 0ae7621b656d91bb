"""The node's agent: holds the node's lease, and stops what is fenced by it when it cannot."""
