"""`nodestead review`: what an update does to running nodes, by the engine's own preview."""

import argparse

__all__ = ["EXAMPLE", "WHAT", "add_arguments", "run"]

WHAT = "say what an update does to running nodes, from the JSON of `pulumi preview --json --show-sames`"
EXAMPLE = "pulumi preview --json --show-sames > prod.json; nodestead review prod.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    del parser


def run(args: argparse.Namespace) -> int:
    """Runs it; the exit code."""
    raise NotImplementedError
