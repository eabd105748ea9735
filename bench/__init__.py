"""Knows how the project's figures are taken.
Must not know anything that the project needs to run.
"""
