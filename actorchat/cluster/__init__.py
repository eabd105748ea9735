"""Knows how nodes find and reach each other. Must not know chat, clients or gateways.

Links between nodes live here; no role uses them yet.
"""
