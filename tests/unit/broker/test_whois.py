"""The desk that says of which users there is an account."""

from __future__ import annotations

from actorchat.actor import Actor
from actorchat.broker.whois import WHOIS
from actorchat.chat.afar import AskAbout, Known, WhoIs
from tests.unit.broker.city import City


class Asker(Actor):
    def __init__(self, heard: list[object]) -> None:
        super().__init__()
        self.heard = heard

    def on_receive(self, message: object) -> None:
        self.heard.append(message)


def test_another_node_is_told_who_is_here_and_no_home_is_started() -> None:
    city = City({"ann": "a", "bob": "b"})
    heard: list[object] = []
    asker = city["a"].system.spawn(Asker, heard)
    desk = city["a"].reach.named("b", WHOIS)
    for user in ("bob", "zed"):
        desk.tell(WhoIs(user, asker))
    city.run()
    assert heard == [Known("bob", True), Known("zed", False)]
    assert city["b"].broker.context.router.counts()["users"] == 0


def test_account_counts_when_it_is_synced() -> None:
    city = City({"ann": "a", "bob": "b"})
    heard: list[object] = []
    asker = city["b"].system.spawn(Asker, heard)
    city["a"].syncer.is_held = True
    city["a"].add_users("cat")
    city["b"].reach.named("a", WHOIS).tell(WhoIs("cat", asker))
    city.run()
    assert heard == []
    city["a"].syncer.release()
    city.run()
    assert heard == [Known("cat", True)]


def test_whose_slot_has_gone_is_asked_for_where_it_is_now() -> None:
    city = City({"ann": "a", "bob": "b"}, nodes="abc")
    heard: list[object] = []
    asker = city["a"].system.spawn(Asker, heard)
    city.announce("bob", "c")
    city.run(3.0)
    city["a"].reach.named("b", WHOIS).tell(WhoIs("bob", asker))  # by an older table
    city["a"].reach.named("b", WHOIS).tell(AskAbout(asker, 1, "ann", ["bob"]))
    city.run()
    assert heard == [Known("bob", True)]
    assert not city.crashes
