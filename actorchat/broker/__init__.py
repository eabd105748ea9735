"""Knows how to do what the machines decide: the actors.
Must not know sockets, key bytes, CBOR's details or files.
"""
