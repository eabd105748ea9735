"""Knows what chat means: pure machines, `handle(event, now) -> effects`.
Must not know bytes, actors, nodes, clocks, engines.
"""
