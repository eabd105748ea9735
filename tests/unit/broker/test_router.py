from __future__ import annotations

from actorchat.broker.place import Place
from actorchat.broker.router import Router


class Ref:
    def __init__(self) -> None:
        self.told: list[object] = []
        self.alive = True

    @property
    def _exit(self) -> str | None:
        return None if self.alive else "over"

    def is_alive(self) -> bool:
        return self.alive

    def tell(self, event: object) -> None:
        self.told.append(event)


class Spawner:
    def __init__(self) -> None:
        self.started: list[tuple[object, Ref]] = []

    def __call__(self, id: object) -> Ref:
        ref = Ref()
        self.started.append((id, ref))
        return ref


def test_place_starts_its_entity_once_and_again_after_its_end() -> None:
    users, conversations = Spawner(), Spawner()
    router = Router(users, conversations)
    place, other = router.user("ann"), router.user("ann")
    assert users.started == []
    place.tell(1)
    other.tell(2)
    ((name, first),) = users.started
    assert name == "ann"
    assert first.told == [1, 2]
    first.alive = False
    place.tell(3)
    other.tell(4)
    assert users.started[1][1].told == [3, 4]
    assert len(users.started) == 2


def test_conversation_is_the_same_from_both_sides() -> None:
    users, conversations = Spawner(), Spawner()
    router = Router(users, conversations)
    router.conversation_with("bob", "ann").tell(1)
    router.conversation_with("ann", "bob").tell(2)
    router.conversation(("ann", "bob")).tell(3)
    ((pair, ref),) = conversations.started
    assert pair == ("ann", "bob")
    assert ref.told == [1, 2, 3]


def test_only_the_actor_that_is_known_is_forgotten() -> None:
    users, conversations = Spawner(), Spawner()
    router = Router(users, conversations)
    router.user("ann").tell(1)
    router.conversation(("ann", "bob")).tell(1)
    router.forget_user("ann", Ref())
    router.forget_conversation(("ann", "bob"), Ref())
    router.forget_user("bob", Ref())
    assert router.counts() == {"users": 1, "conversations": 1, "groups": 0}
    router.forget_user("ann", users.started[0][1])
    router.forget_conversation(("ann", "bob"), conversations.started[0][1])
    assert router.counts() == {"users": 0, "conversations": 0, "groups": 0}


def test_place_may_be_kept_before_anything_runs() -> None:
    spawner = Spawner()
    place = Place(spawner, "ann")
    assert spawner.started == []
    place.tell("hello")
    ((name, ref),) = spawner.started
    assert (name, ref.told) == ("ann", ["hello"])


def test_group_is_found_by_its_address_from_anybody() -> None:
    users, conversations = Spawner(), Spawner()
    router = Router(users, conversations)
    group = "#" + "A" * 22
    router.conversation_with("ann", group).tell(1)
    router.conversation(group).tell(2)
    ((name, ref),) = conversations.started
    assert (name, ref.told) == (group, [1, 2])
    assert router.counts() == {"users": 0, "conversations": 0, "groups": 1}
    place = router.user("ann")
    first = place.ref()
    assert place.ref() is first
    first.alive = False
    assert place.ref() is not first
