"""Knows how recorded traffic is played through a node and checked. Must not know the command line.

traffic reads who said what to whom; crowd plays the people, as real clients; door says by which
gateway each comes in; ledger judges what each of them saw; child is a node that can be killed; run
puts them together.
"""
