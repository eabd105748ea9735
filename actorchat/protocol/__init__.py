"""Knows the language that clients and servers speak. Must not know sockets, actors or storage."""
