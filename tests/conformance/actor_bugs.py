"""Bugs to plant in the actor runtime, each with the spec tests that are to notice it.

`actor_mutants` plants them, one in a process. Most are an edit of one function, found by its name
and a piece of its text. An edit whose place has gone is an error, for a bug that is not planted
would seem to be one that nobody can notice.
"""

from __future__ import annotations

import itertools
import random
from typing import Any

from actorchat.actor import ActorSystem, Dispatcher, LocalRef, SeededDispatcher
from actorchat.actor.compat import CompatActor
from actorchat.actor.names import Names
from actorchat.actor.reason import NORMAL
from tests.conformance.planting import (
    BUGS,  # noqa: F401  # with what is planted below in it
    edit,
    noticed_by,
)

# -- mailbox and order -----------------------------------------------------------------------


@noticed_by("ref")
def the_last_comes_first() -> None:
    edit("tell", "queue.append(message)", "queue.insert(0, message)")


@noticed_by("ref")
def the_first_two_change_places() -> None:
    drain = Dispatcher.drain

    def swapping(self: Dispatcher, ref: LocalRef) -> int:
        queue = ref._queue
        if len(queue) > 1 and ref._task is None:
            queue[:2] = [queue[1], queue[0]]
        return drain(self, ref)

    Dispatcher.drain = swapping  # type: ignore[method-assign]


@noticed_by("ref")
def every_hundredth_message_is_lost() -> None:
    tell, counter = LocalRef.tell, itertools.count(1)

    def losing(self: LocalRef, message: Any) -> None:
        if next(counter) % 100:
            tell(self, message)

    LocalRef.tell = losing  # type: ignore[method-assign]


@noticed_by("ref")
def a_stop_overtakes_what_was_told_before() -> None:
    hasty = "self._system.told += 1; self._queue.insert(0, Stop(reason)); self._schedule()"
    edit("stop", "self._signal(Stop(reason))", f"if self._limit: {hasty}")


@noticed_by("ref")
def a_full_mailbox_refuses_signals() -> None:
    edit("_signal", "if self._limit:", "if len(self._queue) < self._limit:")


@noticed_by("mailbox")
def drop_old_drops_signals() -> None:
    edit("_drop_oldest", "isinstance(queue[index], Signal)", "False")


@noticed_by("mailbox")
def drop_new_forgets_who_called() -> None:
    edit("bury", "item.reply.settle(None, MailboxFull(", "str((")


@noticed_by("behaviour")
def the_mailbox_is_open_while_a_handler_awaits() -> None:
    edit(
        "_step",
        "# Parked before",
        """if phase == HANDLING and type(awaited) is Reply:
        ref._task = None
        def go_on(_settled):
            self.post(self._step, ref, coro, reply, message, phase)
        awaited.on_settled(go_on)
        return
    # Parked before""",
    )


@noticed_by("dispatcher")
def what_lies_behind_a_stop_is_handled_in_the_same_visit() -> None:
    edit(
        "_drain_batch",
        "if ref._exit is not None or",
        "if ref._exit is not None and message is batch[-1] or",
    )


# -- who runs when ---------------------------------------------------------------------------


@noticed_by("ref")
def a_teller_reads_the_flag_before_its_message_is_there() -> None:
    edit(
        "tell",
        "queue.append(message)\n    if self._state == IDLE:",
        "was_idle = self._state == IDLE\n    queue.append(message)\n    if was_idle:",
    )


@noticed_by("ref")
def a_caller_wakes_the_actor_before_its_message_is_there() -> None:
    edit(
        "_enqueue",
        "self._queue.append(item)\n    if self._state == IDLE:\n        self._schedule()",
        "if self._state == IDLE:\n        self._schedule()\n    self._queue.append(item)",
    )


@noticed_by("dispatcher")
def an_actor_goes_idle_without_a_second_look() -> None:
    edit("_close_visit", "if ref._queue:\n            ref._schedule()", "pass")
    edit("turn", "if queue:\n                    ref._schedule()", "pass")


@noticed_by("dispatcher")
def a_turn_ends_without_a_second_look() -> None:
    edit(
        "_close_turn",
        "self.awake = False\n    if run_queue:",
        "self.awake = False\n    else:",
    )


@noticed_by("dispatcher")
def a_turn_does_not_count_its_messages() -> None:
    edit("turn", "while run_queue and left > 0:", "while run_queue:")


@noticed_by("dispatcher")
def a_turn_does_not_look_at_the_clock() -> None:
    edit("turn", "if looked_s >= until_s:", "if False:")


@noticed_by("dispatcher")
def a_visit_takes_all_that_is_there() -> None:
    edit("_drain_batch", "queue[: self.visit_max]", "queue[:]")


@noticed_by("dispatcher::test_a_visit_handles_a_limited_number_of_messages")
def a_busy_actor_goes_before_the_others() -> None:
    edit("_close_visit", "self.run_queue.append(ref)", "self.run_queue.appendleft(ref)")
    edit("turn", "run_queue.append(ref)", "run_queue.appendleft(ref)")


@noticed_by("dispatcher")
def a_waiting_handler_is_resumed_without_cause() -> None:
    edit("_go_on", "elif task.is_ready:", "elif task.coro is not None:")


@noticed_by("dispatcher")
def an_interrupt_is_swallowed() -> None:
    edit("_fail", "self._escaped = error", "pass")


@noticed_by("broadcast")
def a_burst_forgets_who_comes_after_its_first_share() -> None:
    edit("_drain_burst", "if burst.at < len(burst.refs):", "if False:")


@noticed_by("broadcast")
def a_burst_starts_anew_with_each_share() -> None:
    edit("_drain_burst", "refs = burst.refs[at :", "refs = burst.refs[at and 1 :")


@noticed_by("broadcast")
def a_burst_hands_its_message_on_before_those_that_waited() -> None:
    first = "(queue.remove(message) or queue.insert(0, message) or True)"
    edit("_drain_burst", "queue[0] is message", f"message in queue and {first}")


@noticed_by("broadcast")
def a_burst_forgets_what_came_meanwhile() -> None:
    edit("_drain_burst", "run_queue.append(ref)", "pass")


@noticed_by("broadcast")
def a_burst_leaves_an_actor_scheduled() -> None:
    edit("_drain_burst", "ref._state = IDLE", "pass")


@noticed_by("broadcast")
def a_burst_goes_past_whoever_waits_and_handles_at_once() -> None:
    edit("_drain_burst", "and ref._task is None", "")


@noticed_by("broadcast")
def a_burst_does_not_count_what_it_handled() -> None:
    edit("_drain_burst", "ref._handled += 1", "pass")


@noticed_by("broadcast")
def a_burst_visits_those_of_other_systems_too() -> None:
    edit("tell_all", "if strangers else targets", "if False else targets")


@noticed_by("broadcast")
def a_burst_runs_in_one_thread_for_all() -> None:
    edit("tell_all", "system.is_divided or", "")


@noticed_by("broadcast")
def a_burst_is_lost_when_telling_breaks_off() -> None:
    edit("tell_all", "finally:", "except ZeroDivisionError:\n        pass\n    else:")


@noticed_by("broadcast")
def a_burst_evades_who_looks_at_each_visit() -> None:
    edit("_drain_burst", "not is_plain or", "")


@noticed_by("broadcast")
def a_burst_treats_signals_as_messages() -> None:
    edit("_drain_burst", "or type(message) in SPECIAL", "")


@noticed_by("child")
def a_killed_child_is_not_waited_for() -> None:
    edit("stop_child", "await ended\n    else:", "pass\n    else:")


@noticed_by("seeded")
def the_seed_decides_nothing() -> None:
    run = SeededDispatcher.run

    def careless(self: SeededDispatcher, *args: Any, **kwargs: Any) -> int:
        self.rng = random.Random()
        return run(self, *args, **kwargs)

    SeededDispatcher.run = careless  # type: ignore[method-assign]


# -- start -----------------------------------------------------------------------------------


@noticed_by("ref")
def messages_are_handled_before_the_start() -> None:
    start = Dispatcher._start

    def late(self: Dispatcher, ref: LocalRef) -> None:
        task, ref._task = ref._task, None
        if ref._queue and ref._actor is not None:
            self._drain_batch(ref, ref._actor)
        if ref._actor is not None:
            ref._task = task
            start(self, ref)

    Dispatcher._start = late  # type: ignore[method-assign]


@noticed_by("behaviour")
def on_start_runs_in_the_callers_turn() -> None:
    edit("spawn", "ref._schedule()", "ref._dispatcher._go_on(ref); ref._schedule()")


@noticed_by("ref")
def started_does_not_wait_for_on_start() -> None:
    edit("_is_starting", "return self._task is not None and", "return False and")


@noticed_by("behaviour")
def on_stop_is_called_where_on_start_failed() -> None:
    edit(
        "_start",
        "lifecycle.bury(ref)",
        "actor.terminate(ref._exit); lifecycle.bury(ref)",
    )


# -- calls -----------------------------------------------------------------------------------


@noticed_by("ref", "deadletter")
def calls_that_wait_at_the_end_are_not_answered() -> None:
    edit("bury", "item.reply.settle(None, ref.dead())", "pass")


@noticed_by("ref")
def a_crash_leaves_its_caller_waiting() -> None:
    edit("crash", "reply.settle(None, ref.dead())", "pass")


@noticed_by("ref")
def a_kill_leaves_the_caller_of_the_waiting_handler_waiting() -> None:
    edit("_close", "task.reply.settle(None, ref.dead())", "pass")


@noticed_by("ref")
def an_actor_survives_an_error_in_a_call() -> None:
    edit(
        "failed",
        "lifecycle.crash(self.ref, error, reply)",
        "lifecycle.crash(self.ref, error, reply) if reply is None else reply.settle(None, error)",
    )


@noticed_by("ref")
def a_call_never_times_out() -> None:
    edit("LocalRef.call", "timers.add(timer, timeout_s)", "pass")


@noticed_by("ref")
def a_call_without_time_waits_for_ever() -> None:
    edit("LocalRef.call", "if not reply._done:", "if timeout_s and not reply._done:")


@noticed_by("future")
def a_wait_of_no_time_waits_for_ever() -> None:
    edit(
        "wait",
        "-1 if timeout_s is None else max(0.0, timeout_s)",
        "max(0.0, timeout_s) if timeout_s else -1",
    )


@noticed_by("future", "ref")
def a_late_answer_replaces_the_first() -> None:
    edit(
        "settle",
        "if self._done or self._get_hook is not None:",
        "if self._get_hook is not None:",
    )


@noticed_by("ref")
def an_answered_call_leaves_its_deadline_behind() -> None:
    edit("settle", "timers.discard(timer)", "pass")


@noticed_by("future")
def awaiting_blocks_the_thread() -> None:
    edit("__await__", "self._asyncio_future_blocking = True\n        yield self", "self.wait()")


@noticed_by("future", "compat")
def an_error_that_is_set_loses_its_traceback() -> None:
    edit("set_exception", "error.with_traceback(trace)", "error.with_traceback(None)")


# -- ends ------------------------------------------------------------------------------------


@noticed_by("behaviour")
def what_is_left_is_discarded_after_on_stop() -> None:
    edit("_end", "lifecycle.discard(ref, actor)", "pass")


@noticed_by("ref")
def a_kill_runs_on_stop() -> None:
    edit(
        "kill",
        "lifecycle.bury(ref)",
        "ref._actor.terminate(KILLED); lifecycle.bury(ref)",
    )


@noticed_by("reason", "system")
def a_crash_has_no_traceback() -> None:
    edit("of", "cls(error, text)", 'cls(error, "")')


@noticed_by("system")
def who_listens_for_crashes_is_not_told() -> None:
    edit("crashed", "callback(ref, crash, crash.traceback)", "pass")


@noticed_by("names")
def the_name_of_a_crashed_actor_is_not_free() -> None:
    edit(
        "bury",
        "system.names.release(ref)",
        "system.names.release(ref) if not isinstance(ref._exit, Crash) else None",
    )


@noticed_by("names")
def two_actors_have_one_name() -> None:
    edit("register", "if holder is not None:", "if False:")


@noticed_by("dispatcher")
def what_a_crash_leaves_is_counted_as_handled() -> None:
    edit("_put_back", "ref._handled -= len(rest)", "pass")


@noticed_by("system")
def what_the_dead_have_handled_is_forgotten() -> None:
    edit("bury", "system.handled_by_ended += ref._handled", "pass")


@noticed_by("names")
def what_comes_too_late_is_in_no_book() -> None:
    edit("bury_late", "ref._system.dead_letters.bury(ref, item, NOPROC)", "pass")


# -- monitors --------------------------------------------------------------------------------


@noticed_by("monitor")
def a_down_comes_before_the_last_words() -> None:
    edit(
        "_end",
        "lifecycle.discard(ref, actor)",
        "lifecycle.discard(ref, actor); lifecycle.monitor.release(ref._system, ref)",
    )


@noticed_by("monitor")
def a_down_comes_twice() -> None:
    edit(
        "release",
        "watcher._signal(DownSignal(Down(mref, ref, ref._exit)))",
        "[watcher._signal(DownSignal(Down(mref, ref, ref._exit))) for _ in range(2)]",
    )
    edit(
        "unwrap",
        "bonds.monitors.pop(self.down.mref, None) is None",
        "self.down.mref not in bonds.monitors",
    )


@noticed_by("monitor")
def a_down_that_waits_is_handled_after_demonitor() -> None:
    edit("unwrap", "self.down.mref, None) is None", "self.down.mref, None) is self")


@noticed_by("monitor")
def a_monitor_of_the_dead_stays_with_the_living() -> None:
    edit("release", "target._bonds.watchers.pop(mref, None)", "pass")


@noticed_by("monitor")
def a_monitor_taken_back_stays_with_its_target() -> None:
    edit("demonitor", "target._bonds.watchers.pop(mref, None)", "pass")


@noticed_by("monitor")
def nobody_says_that_the_target_is_dead_already() -> None:
    edit("monitor", "if watchers is None:", "if False:")


# -- timers ----------------------------------------------------------------------------------


@noticed_by("timer")
def timers_outlive_their_actor() -> None:
    edit("bury", "ref._dispatcher.timers.discard(timer)", "pass")


@noticed_by("timer")
def a_cancelled_timer_that_waits_is_handled() -> None:
    edit("unwrap", "if self.is_over:", "if False:")


@noticed_by("timer")
def a_key_set_anew_leaves_the_old_timer() -> None:
    edit("send_after", "timers.discard(old)", "pass")


@noticed_by("timer")
def a_timer_comes_early() -> None:
    edit("add", "* self._ticks_per_s) + 1", "* self._ticks_per_s)")


# -- supervisors -----------------------------------------------------------------------------


@noticed_by("supervisor")
def rest_for_one_restarts_those_before() -> None:
    edit(
        "_affected",
        'range(0 if self.strategy == "one_for_all" else index, len(self.specs))',
        'range(len(self.specs) if self.strategy == "one_for_all" else index + 1)',
    )


@noticed_by("child", "supervisor")
def one_restart_too_many_is_allowed() -> None:
    edit("allows", "len(times) <= self._intensity", "len(times) <= self._intensity + 1")


@noticed_by("child", "supervisor")
def one_restart_too_few_is_allowed() -> None:
    edit("allows", "len(times) <= self._intensity", "len(times) < self._intensity")


@noticed_by("supervisor")
def a_supervisor_that_should_give_up_goes_on() -> None:
    edit(
        "_on_child_exit",
        "self.stop(Escalated(self.specs[index].id, cause))",
        "await self._start_children(again)",
    )


@noticed_by("supervisor")
def nobody_is_told_that_a_supervisor_gave_up() -> None:
    ActorSystem.terminated = lambda *_: None  # type: ignore[method-assign]


@noticed_by("supervisor")
def children_stop_in_the_order_of_their_start() -> None:
    edit("_stop_children", "reversed(indices)", "indices")


@noticed_by("supervisor")
def a_child_does_not_wait_for_the_one_before() -> None:
    edit("_start_children", "await ref.started()", "pass")


@noticed_by("supervisor")
def a_child_may_take_as_long_as_it_likes_to_stop() -> None:
    edit("stop_child", "if await within(ended, timers, shutdown_s):", "if await ended or True:")


@noticed_by("supervisor", "lifecycle")
def a_restarted_child_has_lost_its_name() -> None:
    edit(
        "_start_children",
        "name=spec.name",
        "name=None if self.system.restarts else spec.name",
    )


@noticed_by("lifecycle", "supervisor")
def the_name_stays_with_the_ref_before_the_restart() -> None:
    Names.release = lambda *_: None  # type: ignore[method-assign]


@noticed_by("reason", "supervisor")
def a_transient_child_is_restarted_after_a_shutdown() -> None:
    edit("is_abnormal", "{NORMAL, SHUTDOWN}", "{NORMAL}")


@noticed_by("supervisor")
def children_outlive_a_killed_supervisor() -> None:
    edit("bury", "child.kill()", "pass")


@noticed_by("dynamic")
def a_full_supervisor_takes_one_more() -> None:
    edit("adopt", ">= self.children_max", "> self.children_max")


@noticed_by("dynamic")
def a_restarted_child_has_lost_its_arguments() -> None:
    edit("adopt", "else recipe", "else (recipe[0], (), {}, *recipe[3:])")


@noticed_by("system")
def the_oldest_is_stopped_first() -> None:
    edit("on_stop", "next(reversed(self.children))", "next(iter(self.children))")


# -- put aside, put off, interleaved -----------------------------------------------------------


@noticed_by("stash")
def what_was_put_aside_comes_back_last() -> None:
    edit("release", "ref._queue[:0] = items", "ref._queue.extend(items)")


@noticed_by("stash")
def what_was_put_aside_comes_back_in_reverse() -> None:
    edit("release", "ref._queue[:0] = items", "ref._queue[:0] = items[::-1]")


@noticed_by("stash")
def a_call_that_was_put_aside_is_never_answered() -> None:
    edit("settle", "message if reply is None else Call(message, reply)", "message")


@noticed_by("stash")
def what_was_put_aside_counts_as_handled() -> None:
    edit("settle", "ref._handled -= 1", "pass")


@noticed_by("stash")
def what_was_put_aside_is_forgotten_at_the_end() -> None:
    edit("discard", "items[:0] = kept.stash", "pass")


@noticed_by("defer")
def an_answer_that_was_put_off_dies_with_the_actor() -> None:
    edit("bind", "owed.add(self)", "pass")


@noticed_by("overlap")
def every_message_interleaves() -> None:
    edit("take", "not is_ending and _kind(item) in self.kinds", "not is_ending")


@noticed_by("overlap")
def what_waits_for_a_handler_is_counted_as_handled() -> None:
    edit("take", "ref._handled += len(taken)", "ref._handled += len(taken) + len(kept)")


@noticed_by("overlap")
def interleaved_handlers_are_forgotten_at_a_kill() -> None:
    edit("_close_overlapping", "self._close(ref, task)", "pass")


# -- groups ----------------------------------------------------------------------------------


@noticed_by("groups")
def the_dead_stay_in_their_groups() -> None:
    edit("withdraw", "system.groups.release(ref)", "pass")


@noticed_by("groups")
def nobody_who_watches_a_group_learns_of_a_death() -> None:
    edit("cut", "self.scope._note(Left, self.name, (ref,) * count)", "pass")


@noticed_by("groups")
def a_change_that_waits_is_handled_after_demonitor() -> None:
    edit("unwrap", "self.change if self.watch.is_on else NOTHING", "self.change")


# -- pykka's manners -------------------------------------------------------------------------


@noticed_by("compat")
def every_stop_says_that_it_stopped_the_actor() -> None:
    edit("stop", "stopped.settle(error is None)", "stopped.settle(True)")


@noticed_by("compat")
def the_hook_for_failures_is_not_called() -> None:
    edit("failed", "self.on_failure(*trace)", "pass")


@noticed_by("compat")
def a_failed_actor_stays_in_the_registry() -> None:
    def handle(self: CompatActor, *_trace: object) -> None:
        self.ref.leave(NORMAL)

    CompatActor._handle_failure = handle
