"""Knows how nodes find each other and who leads what. Must not know chat, clients or gateways."""
