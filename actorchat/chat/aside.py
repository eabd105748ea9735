"""Knows reactions that the other of two users is not to see, for they block who put them.
Must not know who blocks whom, or how messages are kept.

Such users stand behind a mark that is nobody's name, so that both of the two read one record.
"""

from __future__ import annotations

from actorchat.protocol.ops import Record

ASIDE = " "


def split(users: list[str]) -> tuple[list[str], list[str]]:
    """Return whose reaction everybody sees, and whose only they themselves."""
    if ASIDE not in users:
        return users, []
    at = users.index(ASIDE)
    return users[:at], users[at + 1 :]


def joined(shown: list[str], aside: list[str]) -> list[str]:
    """Return both as they are kept."""
    return [*shown, ASIDE, *aside] if aside else shown


def put_aside(record: Record, emoji: str, user: str) -> None:
    """Let nobody but `user` see that they put `emoji` at a message."""
    shown, aside = split(record.reactions[emoji])
    record.reactions[emoji] = joined([one for one in shown if one != user], [*aside, user])


def shown_to(reactions: dict[str, list[str]], user: str) -> dict[str, list[str]]:
    """Return the reactions that `user` sees; the very same where none is aside."""
    if not any(ASIDE in users for users in reactions.values()):
        return reactions
    found = {}
    for emoji, users in reactions.items():
        shown, aside = split(users)
        if user in aside:
            shown = [*shown, user]
        if shown:
            found[emoji] = shown
    return found
