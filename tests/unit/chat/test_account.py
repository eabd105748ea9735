from __future__ import annotations

from hashlib import sha256

from actorchat.chat.account import NO_DEVICE, Account, Device, token_digest, token_fits


def test_digest_is_the_sha256_of_the_token() -> None:
    assert token_digest("tökén") == sha256("tökén".encode()).digest()


def test_digest_takes_what_is_no_unicode() -> None:
    assert len(token_digest("\ud800")) == 32


def test_only_the_own_token_fits_a_device() -> None:
    device = Device("phone", token_digest("right"), 5)
    assert token_fits(device, "right")
    assert not token_fits(device, "wrong")
    assert not token_fits(device, "")


def test_no_token_fits_where_there_is_no_device() -> None:
    assert not token_fits(None, "right")
    assert not token_fits(None, "")


def test_token_of_nobody_is_refused_even_if_its_digest_were_found(monkeypatch) -> None:
    monkeypatch.setattr(NO_DEVICE, "token_sha256", token_digest("found"))
    assert token_fits(NO_DEVICE, "found")
    assert not token_fits(None, "found")


def test_new_account_has_no_password() -> None:
    assert Account("ann", 5).password_hash == ""
