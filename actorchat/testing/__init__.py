"""Knows how to run the system without real time, disks or networks. Must not know production.

The kit for tests and benchmarks; `nodes` and all lower floors are forbidden to import it.
"""
