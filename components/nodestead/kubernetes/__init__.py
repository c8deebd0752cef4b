"""Builders of manifests: plain dicts as `kubectl get -o yaml` shows them."""
