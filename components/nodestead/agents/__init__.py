"""Scripts that run inside the cluster, mounted from a ConfigMap."""
