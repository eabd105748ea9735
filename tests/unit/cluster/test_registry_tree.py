"""The tree does all of a transaction or none, and the same changes make the same tree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorchat.cluster.registry import (
    Check,
    Create,
    Delete,
    EntryExists,
    NoEntry,
    NotEmpty,
    Op,
    Put,
    RegistryRefusal,
)
from actorchat.cluster.registry_tree import Touched, Tree

PATHS = st.sampled_from(["/a", "/b", "/a/x", "/a/y", "/b/x", "/a/x/z"])
VERSIONS = st.sampled_from([None, 0, 1])
OPS: st.SearchStrategy[Op] = st.one_of(
    st.builds(Create, PATHS, st.binary(max_size=2), st.booleans(), st.booleans()),
    st.builds(Put, PATHS, st.binary(max_size=2), VERSIONS),
    st.builds(Delete, PATHS, VERSIONS),
    st.builds(Check, PATHS, VERSIONS),
)


def shape(tree: Tree) -> tuple[object, ...]:
    rows = sorted(repr(row) for row in tree.rows())
    return tree.revision, sorted(tree.sessions), rows


def test_transaction_that_fails_leaves_no_trace() -> None:
    tree = Tree()
    session = tree.begin(1.0, b"").id
    tree.apply(session, [Create("/a"), Create("/a/x", b"1", ephemeral=True)])
    before = shape(tree)
    with pytest.raises(EntryExists) as refused:
        tree.apply(
            session,
            [Delete("/a/x"), Put("/a", b"2"), Create("/a/c", sequential=True), Create("/a")],
        )
    assert refused.value.index == 3
    assert shape(tree) == before
    assert tree.end(session) == [Touched("/a/x", False), Touched("/a", True)]
    assert tree.children("/a") == []


@given(st.lists(st.lists(OPS, min_size=1, max_size=4), max_size=12), st.integers(0, 11))
def test_any_failed_transaction_leaves_no_trace_and_rows_bring_a_tree_back(
    transactions: list[list[Op]], end_at: int
) -> None:
    tree, again = Tree(), Tree()
    for each in (tree, again):
        each.begin(1.0, b"one")
        each.begin(1.0, b"two")
    for number, ops in enumerate(transactions):
        before = shape(tree)
        try:
            tree.apply(1 + number % 2 if number <= end_at else 2, ops)
        except RegistryRefusal:
            assert shape(tree) == before
        else:
            again.apply(1 + number % 2 if number <= end_at else 2, ops)
        if number == end_at:
            tree.end(1)
            again.end(1)
    assert shape(again) == shape(tree)
    back = Tree()
    back.restore(tree.revision, list(tree.sessions.values()), list(tree.rows()))
    assert shape(back) == shape(tree)
    for session in list(tree.sessions):
        assert set(map(repr, back.end(session))) == set(map(repr, tree.end(session)))
    assert not [row for row in back.rows() if row.owner]


def test_what_a_session_owned_goes_with_it_and_nothing_else() -> None:
    tree = Tree()
    one, other = tree.begin(1.0, b"").id, tree.begin(1.0, b"").id
    tree.apply(one, [Create("/kept"), Create("/mine", ephemeral=True)])
    tree.apply(other, [Create("/others", ephemeral=True)])
    tree.end(one)
    assert tree.children("/") == ["kept", "others"]


def test_entry_with_children_stays() -> None:
    tree = Tree()
    session = tree.begin(1.0, b"").id
    tree.apply(session, [Create("/a"), Create("/a/x")])
    with pytest.raises(NotEmpty):
        tree.apply(session, [Delete("/a")])
    with pytest.raises(NoEntry):
        tree.children("/nobody")
    tree.apply(session, [Delete("/a/x"), Delete("/a")])
    assert len(tree) == 1
