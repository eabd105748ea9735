"""Knows what each kind of node runs. Must not know what any of it does."""
