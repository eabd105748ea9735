"""What a group says yes to, in which order, and what it still owes to whom."""

from __future__ import annotations

from actorchat.chat.change import digest_of
from actorchat.chat.effect import (
    AnswerAgain,
    MoveMarker,
    Push,
    Redrive,
    Refuse,
    SaveMarks,
    StartTimer,
    TellMarks,
)
from actorchat.chat.event import (
    Answer,
    ConfirmDue,
    Durable,
    FannedOut,
    Fetch,
    Marked,
    MarksDue,
    Missing,
    Post,
    Prior,
    Reached,
    Refused,
)
from actorchat.chat.group import Group
from actorchat.chat.group_effect import AskHomes, RedriveAll, SaveMembers, StoreInGroup
from actorchat.chat.group_event import AskReceipts, Changing, Describe
from actorchat.chat.moved import MovedDue, SliceDue, TellMoved, TellSlice
from actorchat.chat.receipt import Marks
from actorchat.chat.roster import NO_GROUP, Roster, Touched, found
from actorchat.ids import group_address
from actorchat.limits import (
    FAN_OUT_CONFIRM_S,
    GROUP_MARKS_DELAY_S,
    GROUP_MARKS_PUSHED_MAX,
    IDEMPOTENCE_WINDOW,
)
from actorchat.protocol.ops.group import Add, AnyChange, Assign, Create, Leave, Remove
from actorchat.testing.playbook import Playbook
from tests.unit.chat.cast import Peer, cid

SESSION = Peer("session")
ID = cid(99)
ADDRESS = group_address(ID)
ASK_LATER = StartTimer(FAN_OUT_CONFIRM_S, ConfirmDue())
TELL_LATER = StartTimer(GROUP_MARKS_DELAY_S, MarksDue())


def members(*others: str) -> Roster:
    made = found("ann", Create("g", list(others)), 256)
    assert isinstance(made, Roster)
    return made


def playbook(seq: int = 1, owed: int | None = None, *others: str) -> Playbook:
    group = Group(ADDRESS, members(*(others or ("bob", "cid"))), seq, owed)
    return Playbook(group, now=1_000)


def post(number: int, sender: str = "ann", body: str = "hi", prior: Prior | None = None) -> Post:
    return Post(sender, SESSION, number, cid(number), body, prior)


def changing(number: int, change: AnyChange, sender: str = "ann", **more: object) -> Changing:
    name = ID if isinstance(change, Create) else cid(number)
    return Changing(sender, SESSION, number, name, change, **more)  # type: ignore[arg-type]


def refused(number: int, code: str, reason: str) -> Refuse:
    return Refuse(SESSION, Refused(number, code, reason))


class Stored:
    """Equal to the effect that stores a request under a seq, whatever its key is."""

    def __init__(self, seq: int, request: object, owes: bool, wants: bool = False) -> None:
        self._says = (seq, 1_000, request, owes, wants)
        self.effect: StoreInGroup

    def __eq__(self, other: object) -> bool:
        assert isinstance(other, StoreInGroup)
        self.effect = other
        found = (other.seq, other.ts, other.request, other.owes, other.wants_durable)
        return found == self._says

    __hash__ = None  # type: ignore[assignment]


def test_posts_of_all_members_have_one_dense_sequence() -> None:
    one, two = post(1), post(2, "bob")
    play = playbook(7) >> one << Stored(8, one, owes=True) << ASK_LATER
    assert play >> two << Stored(9, two, owes=False)


def test_stranger_hears_no_more_than_that_there_may_be_no_such_group() -> None:
    no = [refused(1, "no_such_group", NO_GROUP)]
    for event in (
        post(1, "eve"),
        changing(1, Add(["eve"]), "eve"),
        changing(1, Leave(), "eve"),
        Fetch("eve", SESSION, 1, 0, None, 50),
        Describe("eve", SESSION, 1),
        AskReceipts("eve", SESSION, 1),
    ):
        assert playbook().machine.handle(event, 0) == no
        if not isinstance(event, Changing):
            assert Group(ADDRESS).handle(event, 0) == no
    assert Group(ADDRESS).handle(changing(1, Add(["bob"])), 0) == no


def test_member_without_the_right_is_refused() -> None:
    reason = "your role in this group does not allow that"
    assert playbook() >> changing(1, Remove("cid"), "bob") << refused(1, "forbidden", reason)
    play = playbook()
    play.machine.roster.members["bob"].role = "reader"
    assert play >> post(2, "bob") << refused(2, "forbidden", reason)


def test_group_is_made_once_and_by_its_own_id() -> None:
    create = changing(1, Create("g", ["bob"]))
    play = Playbook(Group(ADDRESS), now=1_000) >> create << Stored(1, create, owes=True)
    play = play << ASK_LATER
    assert play >> changing(1, Create("g", ["bob"])) << AnswerAgain(SESSION, 1, 1, 1_000)
    other = refused(1, "id_conflict", "this client id stands for something else")
    assert play >> changing(1, Create("h", ["bob"])) << other
    taken = refused(1, "exists", "there is such a group")
    assert play >> changing(1, Create("g", ["bob"]), "eve") << taken
    wrong = Changing("ann", SESSION, 1, cid(1), Create("g"))
    reason = "the cid of a create is the group's own id"
    assert Playbook(Group(ADDRESS)) >> wrong << refused(1, "bad_request", reason)


def test_group_that_can_not_be_is_not_there_afterwards() -> None:
    unknown = changing(1, Create("g", ["nob"]), unknown=("nob",))
    play = Playbook(Group(ADDRESS)) >> unknown
    play = play << refused(1, "no_such_user", "there is no user nob")
    play = Playbook(Group(ADDRESS, size_max=256))
    many = Create("g", [f"u{number}" for number in range(256)])
    reason = "a group has at most 256 members here"
    assert play >> changing(2, many) << refused(2, "group_full", reason)
    assert play.machine.roster is None


def test_change_takes_a_place_and_says_whose_rows_go_with_it() -> None:
    add = changing(1, Add(["dan"]))
    stored = Stored(2, add, owes=True)
    assert playbook() >> add << stored << ASK_LATER
    assert stored.effect.touched == Touched(("dan",), ("dan",))
    assert stored.effect.change == Add(["dan"])


def test_owner_who_leaves_is_recorded_with_the_heir() -> None:
    leave = changing(1, Leave())
    stored = Stored(2, leave, owes=True)
    play = playbook() >> leave << stored << ASK_LATER
    assert play
    assert stored.effect.change == Leave("bob")
    assert play >> changing(1, Leave()) << AnswerAgain(SESSION, 1, 2, 1_000)


def test_answer_that_was_lost_is_given_to_who_is_no_member_any_more() -> None:
    again = post(1, "eve", prior=Prior(4, 500, hash("hi")))
    assert playbook() >> again << AnswerAgain(SESSION, 1, 4, 500)
    left = changing(2, Leave(), "eve", prior=Prior(5, 500, digest_of(Leave())))
    assert playbook() >> left << AnswerAgain(SESSION, 2, 5, 500)
    other = refused(1, "id_conflict", "this client id stands for something else")
    assert playbook() >> post(1, "eve", "ho", Prior(4, 500, hash("hi"))) << other


def test_same_client_id_of_another_member_is_another_message() -> None:
    machine = playbook().machine
    assert machine.key_to_look_up(post(1)) != machine.key_to_look_up(post(1, "bob"))
    machine.handle(post(1), 0)
    assert machine.key_to_look_up(post(1)) is None
    assert machine.key_to_look_up(post(1, "bob")) is not None


def test_full_window_wants_to_know_what_is_durable_and_forgets_then() -> None:
    play = playbook(0, 1)
    for number in range(1, 2 * IDEMPOTENCE_WINDOW + 1):
        is_full = number % IDEMPOTENCE_WINDOW == 0
        event = post(number)
        play = play >> event << Stored(number, event, owes=False, wants=is_full)
        if is_full:
            play = play >> Durable(number)
    assert play
    assert play.machine.key_to_look_up(post(1)) is not None


# -- fan-out -----------------------------------------------------------------------------------
def test_round_that_all_confirm_settles() -> None:
    play = playbook(3, 2) >> ConfirmDue() << AskHomes({"ann": 3, "bob": 3, "cid": 3}) << ASK_LATER
    assert not play.machine.is_settled
    play = play >> FannedOut("ann", 3) >> FannedOut("bob", 3) >> FannedOut("eve", 3)
    assert play >> FannedOut("cid", 3) << MoveMarker(None) >> ConfirmDue()
    assert play.machine.is_settled


def test_round_that_ends_behind_newer_posts_moves_the_marker() -> None:
    play = playbook(3, 2, "bob") >> ConfirmDue() << AskHomes({"ann": 3, "bob": 3}) << ASK_LATER
    four = post(4)
    play = play >> four << Stored(4, four, owes=False)
    assert play >> FannedOut("ann", 3) >> FannedOut("bob", 3) << MoveMarker(4)


def test_row_of_who_went_is_kept_until_their_home_has_all() -> None:
    play = playbook(1, None, "bob")
    play.machine.handle(changing(1, Remove("bob")), 0)
    play = play >> ConfirmDue() << AskHomes({"ann": 2, "bob": 2}) << ASK_LATER
    play = play >> FannedOut("ann", 2)
    assert play >> FannedOut("bob", 2) << MoveMarker(None) << SaveMembers(("bob",))


def test_gap_is_filled_for_members_and_for_nobody_else() -> None:
    play = playbook(5, 2) >> Missing("bob", 3) << Redrive("bob", 3, 3) >> Missing("bob", 3)
    assert play >> Missing("eve", 0)
    assert Playbook(Group(ADDRESS)) >> Missing("bob", 0) >> FannedOut("bob", 1) >> ConfirmDue()


def test_start_tells_again_from_the_marker_on() -> None:
    assert playbook(5).machine.start() == []
    assert playbook(5, 3).machine.start() == [RedriveAll(2), ASK_LATER]


# -- marks -------------------------------------------------------------------------------------
def test_marks_are_told_to_the_others_together_and_later() -> None:
    play = playbook(9) >> Reached("bob", 4) << SaveMarks("bob", 4, 0) << TELL_LATER
    play = play >> Reached("bob", 6, 5) << SaveMarks("bob", 6, 5) >> Reached("bob", 6)
    play = play >> Reached("eve", 6) >> Reached("cid", 99) << SaveMarks("cid", 9, 0)
    assert not play.machine.is_settled
    bob, cid_ = Marked(ADDRESS, "bob", 6, 5), Marked(ADDRESS, "cid", 9, 0)
    play = play >> MarksDue() << TellMarks("ann", bob) << TellMarks("cid", bob)
    assert play << TellMarks("ann", cid_) << TellMarks("bob", cid_)
    assert play.machine.is_settled


def test_marks_of_a_large_group_are_only_shown_who_asks() -> None:
    users = [f"u{number}" for number in range(GROUP_MARKS_PUSHED_MAX)]
    play = playbook(9, None, *users) >> Reached("u1", 4) << SaveMarks("u1", 4, 0)
    assert play >> MarksDue()
    assert play.machine.shown_marks(GROUP_MARKS_PUSHED_MAX) == {}
    shown = play.machine.shown_marks(len(users) + 1)
    assert shown["u1"] == {"delivered": 4, "read": 0}
    answer = Answer(3, {"head": 9, "marks": shown})
    assert play >> AskReceipts("ann", SESSION, 3) << Push(SESSION, answer)


def test_marks_of_who_goes_are_not_told() -> None:
    play = playbook(9) >> Reached("bob", 4) << SaveMarks("bob", 4, 0) << TELL_LATER
    play.machine.handle(changing(1, Remove("bob")), 0)
    assert play >> MarksDue()
    assert Playbook(Group(ADDRESS)) >> MarksDue() >> Reached("ann", 1)


def test_marks_of_who_goes_and_comes_back_are_not_told() -> None:
    play = playbook(9) >> Reached("bob", 4) << SaveMarks("bob", 4, 0) << TELL_LATER
    play.done()
    play.machine.handle(changing(1, Remove("bob")), 0)
    play.machine.handle(changing(2, Add(["bob"])), 0)
    assert play.machine.handle(MarksDue(), 0) == []


def test_start_cuts_marks_of_messages_that_were_lost() -> None:
    machine = Group(ADDRESS, members("bob"), 5, marks={"bob": Marks(8, 8)})
    machine.start()
    assert (machine.marks["bob"].delivered, machine.marks["bob"].read) == (5, 5)


# -- the bound ---------------------------------------------------------------------------------
def test_way_of_a_record_follows_from_the_size_before_and_after_it() -> None:
    group = Group(ADDRESS, members("bob"), 4, inline_max=2)
    ways = []
    for event in (
        post(1),  # two members: each by itself
        changing(2, Add(["cid"])),  # the third comes in
        post(3),
        changing(4, Assign("bob", "admin")),
        changing(5, Remove("cid")),  # two are left, but three were told of the head before
        post(6),
        changing(7, Assign("bob", "member")),
    ):
        store = group.handle(event, 0)[0]
        assert isinstance(store, StoreInGroup)
        ways.append((store.seq, store.is_big, store.floor))
    assert ways == [
        (5, False, 0),
        (6, True, 5),  # all before was told in the other way
        (7, True, 0),
        (8, True, 0),
        (9, True, 0),
        (10, False, 0),
        (11, False, 0),
    ]


def test_time_to_tell_is_passed_on() -> None:
    assert playbook() >> MovedDue() << TellMoved() >> SliceDue() << TellSlice()
