"""OCI registries: what a reference stands for, and its blobs (OCI distribution-spec 1.1)."""
