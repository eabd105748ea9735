"""Knows how nodes find and reach each other, and who leads what.
Must not know chat, clients or gateways.
"""
