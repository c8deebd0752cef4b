"""Looks at stacks and at their nodes; changes no stack. Nothing here imports Pulumi."""
