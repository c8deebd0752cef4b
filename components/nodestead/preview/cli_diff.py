"""`nodestead diff`: what a change of revisions does to running nodes."""

import argparse

__all__ = ["EXAMPLE", "WHAT", "add_arguments", "run"]

WHAT = "say what another revision of the stacks, or of any program with the components, does to running nodes"
EXAMPLE = "nodestead diff main --stack prod"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    del parser


def run(args: argparse.Namespace) -> int:
    """Runs it; the exit code."""
    raise NotImplementedError
