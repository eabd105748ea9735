from __future__ import annotations

import msgspec
import pytest

from actorchat.settings.doors import GatewaySettings


def test_only_tcp_on_loopback_is_open_unless_another_is_chosen() -> None:
    doors = GatewaySettings()
    assert doors.tcp.listen.startswith("127.0.0.1:")
    assert (doors.ws.listen, doors.http.listen, doors.zmq.listen) == ("", "", "")


def test_doors_refuse_what_they_do_not_know() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"udp": {"listen": "127.0.0.1:1"}}, GatewaySettings)
