"""Knows that `python -m nodes.cli` is the command line as well. Must not know anything else."""

from nodes.cli import main

main()
