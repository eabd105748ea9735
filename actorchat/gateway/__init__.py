"""Knows how bytes of clients come in and go out. Must not know chat rules, storage or cluster."""
