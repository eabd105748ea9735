from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from pathlib import Path

from nodes.dump import stacks

# Signals belong to a process, so each of these has one to itself.
BEGIN = """
import asyncio, os, signal, sys, threading, time
from nodes.dump import Dump

def wait_for(dump, count):
    while dump.answered < count:
        time.sleep(0.001)

def shoot():
    os.kill(os.getpid(), signal.SIGUSR1)
"""


def run(body: str) -> tuple[str, str]:
    """Run `body` in a process of its own; return what it printed and what it showed."""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + textwrap.dedent(body)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_sigusr1_shows_stacks_and_has_the_loop_show_the_actors() -> None:
    printed, shown = run("""
        async def main():
            dump = Dump()
            dump.install()
            dump.install()  # a second time changes nothing
            asked = asyncio.Event()
            def look():
                print("asked in", threading.current_thread().name)
                asked.set()
            dump.begin(asyncio.get_running_loop(), look)
            shoot()
            await asked.wait()
            dump.end()
            shoot()
            wait_for(dump, 2)
            dump.remove()
            print("over")
        asyncio.run(main())
    """)
    assert printed == "asked in MainThread\nover\n"
    assert shown.count("Thread MainThread (0x") == 2
    assert "in wait_for\n" in shown and "Thread dump" not in shown


def test_a_thread_that_never_gives_way_is_shown() -> None:
    _, shown = run("""
        dump = Dump()
        dump.install()
        def spin():
            shoot()
            number = 0
            while dump.answered < 1:  # pure Python, as a loop that hangs
                number += 1
        spin()
        dump.remove()
    """)
    assert "in spin\n" in shown


def test_a_flood_is_answered_and_ends() -> None:
    printed, shown = run("""
        dump = Dump()
        dump.install()
        for _ in range(2_000):
            shoot()
        wait_for(dump, 1)
        dump.remove()
        print("over")
    """)
    assert printed == "over\n"
    assert 1 <= shown.count("Thread MainThread (0x") <= 2_000


def test_a_loop_that_is_closed_is_no_longer_asked() -> None:
    printed, shown = run("""
        loop = asyncio.new_event_loop()
        loop.close()
        dump = Dump()
        dump.install()
        dump.begin(loop, print)
        shoot()
        wait_for(dump, 1)
        dump.remove()
        print("over")
    """)
    assert printed == "over\n"
    assert "Thread MainThread" in shown and "Traceback" not in shown


def test_a_signal_that_reaches_an_older_thread_is_passed_on() -> None:
    printed, shown = run("""
        ready, over = threading.Event(), threading.Event()
        def older():
            ready.set()
            over.wait()
        thread = threading.Thread(target=older)
        thread.start()
        ready.wait()
        dump = Dump()
        dump.install()
        for _ in range(50):
            signal.pthread_kill(thread.ident, signal.SIGUSR1)
        wait_for(dump, 1)
        over.set()
        thread.join()
        dump.remove()
        print("over")
    """)
    assert printed == "over\n"
    assert "Thread MainThread" in shown


def test_stacks_are_those_of_all_other_threads() -> None:
    ready, over = threading.Event(), threading.Event()

    def wait_here() -> None:
        ready.set()
        over.wait()

    thread = threading.Thread(target=wait_here, name="the other")
    thread.start()
    try:
        ready.wait()
        shown = stacks()
        assert "Thread the other (0x" in shown and "in wait_here\n" in shown
        assert "Thread MainThread" not in shown
    finally:
        over.set()
        thread.join()
