"""Knows how to compose a node from all packages. Must not know rules of chat, bytes or key layout.

This is the only place that knows everything, so it holds no logic: a decision that appears here
belongs to a lower floor.
"""
