"""What the record of a change says, and which changes are the same."""

from __future__ import annotations

from actorchat.chat.change import digest_of, link_of, membership, recorded
from actorchat.protocol.ops.group import Add, Alter, Create, Enter, Invite, Leave, Remove

TOKEN, OTHER = "A" * 22, "B" * 22


def test_record_has_the_digest_of_a_token_and_not_the_token() -> None:
    assert recorded(Invite(TOKEN)) == Invite(link=link_of(TOKEN))
    assert recorded(Enter(TOKEN)) == Enter(link=link_of(TOKEN))
    assert TOKEN not in link_of(TOKEN)
    assert len(link_of(TOKEN)) == 22


def test_record_names_the_heir_and_leaves_the_rest_alone() -> None:
    assert recorded(Leave(), "bob") == Leave("bob")
    assert recorded(Add(["bob"])) == Add(["bob"])


def test_what_was_asked_and_its_record_have_one_digest() -> None:
    for change, heir in ((Invite(TOKEN), None), (Leave(), "bob"), (Add(["bob"]), None)):
        assert digest_of(change) == digest_of(recorded(change, heir))


def test_other_changes_have_other_digests() -> None:
    changes = [Invite(TOKEN), Invite(OTHER), Enter(TOKEN), Add(["bob"]), Add(["bob"], "reader")]
    assert len({digest_of(change) for change in changes}) == len(changes)


def test_membership_is_what_a_change_says_of_a_user() -> None:
    said = {
        ("bob", "ann"): [Create("x", ["bob"]), Add(["bob", "cat"])],
        ("ann", "ann"): [Create("x", ["bob"]), Enter()],
    }
    for (user, sender), changes in said.items():
        assert all(membership(user, sender, change) for change in changes)
    assert membership("bob", "ann", Remove("bob")) is False
    assert membership("ann", "ann", Leave()) is False
    for change in (Alter(name="y"), Add(["cat"]), Remove("cat"), Leave(), Enter(), Create("x")):
        assert membership("bob", "ann", change) is None
