"""`nodestead graph`: the topology of a stack."""

import argparse

__all__ = ["EXAMPLE", "WHAT", "add_arguments", "run"]

WHAT = "draw a stack: who peers with whom, what is exposed, where data and keys live"
EXAMPLE = "nodestead graph --stack staging"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    del parser


def run(args: argparse.Namespace) -> int:
    """Runs it; the exit code."""
    raise NotImplementedError
