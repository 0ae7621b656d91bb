"""etcd as a store: edges, mirrors and keys over its v3 and v2 APIs."""
