"""Knows every bound of the system, with its unit and reason. Must not know who uses it."""

from __future__ import annotations

# -- the wire ---------------------------------------------------------------------------------
FRAME_BYTES_MAX = 262_144  # a history page of 256 KiB is the largest frame that makes sense
PUSH_FRAME_BYTES_MAX = FRAME_BYTES_MAX + 1_024  # the largest send returns with a longer head
HELLO_FRAME_BYTES_MAX = 4_096  # before sign-in nobody needs more; caps what strangers can buffer
UPGRADE_BYTES_MAX = 8_192  # the HTTP with which a WebSocket begins; browsers add their cookies
CBOR_DEPTH_MAX = 8  # the deepest op has 4 levels
CBOR_ITEMS_MAX = 3_072  # a history page of 200 messages has 2,230; bounds the time of one decode
BODY_CHARS_MAX = 65_536  # what chat systems allow is 4 Ki (Discord) to 64 Ki (WhatsApp)
SECRET_CHARS_MAX = 1_024  # a password; argon2 hashes any length, this bounds the frame
AGENT_CHARS_MAX = 128  # free text that names the client program
REQUEST_ID_MAX = 2**32 - 1  # a request id is 32 bits
POSITION_MAX = 2**53 - 1  # seqs, updates, times: exact in a double, so in JSON and JavaScript too
PROTOCOL_VERSION = 1

# -- a connection -----------------------------------------------------------------------------
HANDSHAKE_TIMEOUT_S = 10.0  # from accept to a granted hello; a phone on a bad link needs 2-3 s
PING_INTERVAL_S = 25.0  # under the 30 s after which carriers' NATs forget an idle mapping
IDLE_TIMEOUT_S = 75.0  # three missed pings: the peer is gone
OUTBOX_BYTES_MAX = 1_048_576  # unsent bytes a connection may owe its peer; beyond: slow consumer
ZMQ_PIPE_MESSAGES = 16  # that a client's libzmq may keep, each way
REQUESTS_IN_FLIGHT_MAX = 256  # unanswered requests of a connection; beyond: stop reading it
CONNECTIONS_MAX = 262_144  # of a node; fewer where the limit of open files is lower
ACCEPT_BACKLOG = 1_024  # connections that the kernel holds while the loop is busy
SWEEP_TICK_S = 1.0  # deadlines of connections are looked at so often
CLOSE_LINGER_S = 5.0  # how long a peer may take to read the last frames and to close its side
BUSY_PAUSE_S = 0.1  # a connection is not read so long after its session refused an op as busy
DRAIN_ANSWER_S = 5.0  # how long a drain waits for requests that are under way
DRAIN_SPREAD_MS = 10_000  # reconnects after a drain are spread over so long a time
OVERLOAD_SPREAD_MS = 30_000  # and those of a node that is full over this

# -- HTTP -------------------------------------------------------------------------------------
POLL_WAIT_S = 25.0  # a poll without news is answered after so long; proxies cut at 30 s and more
POLL_AHEAD_MAX = 2  # polls may come before the one in front of them by so many numbers
POLL_TRIES_MAX = 5  # a client gives a poll up, and its connection, after so many failures in a row
POLL_RETRY_S = 0.2  # the second is at once, the third after this, then after 3 and 7 times this
POLL_ANSWER_BYTES_MAX = 16_777_216  # an answer holds an outbox; a server may have a larger one
HTTP_LINE_BYTES_MAX = 1_024  # the longest path has 12
HTTP_HEADER_BYTES_MAX = 4_096  # one header, name and value
HTTP_HEADERS_MAX = 64

# -- delivery ---------------------------------------------------------------------------------
DELIVERY_WINDOW_UPDATES = 1_024  # pushed and unacked updates of a device; beyond: wait for acks
CATCH_UP_PAGE_UPDATES = 256  # rows read at once for a device that is behind ...
CATCH_UP_PAGE_BYTES_MAX = 131_072  # ... and bytes; a window of pages must fit into the outbox
COMPANY_WAIT_S = 5.0  # a new device waits no longer for the user's other sessions to know of it
ACK_EVERY_UPDATES = 32  # the client acks at least this often ...
ACK_DELAY_S = 0.05  # ... and at the latest so long after an update
MARK_DELAY_S = 0.25  # delivered marks are told together with those of so long a time
TRIM_EVERY_UPDATES = 64  # one delete_range for so many acked updates
CHECKPOINT_EVERY_UPDATES = 64  # what a user's actor must re-read of its inbox when it starts
INBOX_INLINE_BYTES_MAX = 512  # longer records are kept once, in history, and pointed to
HISTORY_PAGE_MESSAGES_MAX = 200
HISTORY_PAGE_BYTES_MAX = 131_072
HISTORY_SCAN_PAGE = 256  # rows read at once where only some kinds are wanted ...
HISTORY_SCAN_ROWS_MAX = 1_024  # ... and all that are looked at for one page, 2 ms

# -- a client ---------------------------------------------------------------------------------
CLIENT_WINDOW_SENDS = 64  # sends in flight; a quarter of what a server grants a connection
CLIENT_UNSENT_MAX = 16_384  # sends kept while the server is away; beyond: refused, not dropped
CLIENT_INBOX_MESSAGES = 1_024  # messages the application has not fetched; beyond: no more acks
CLIENT_TIMEOUT_S = 10.0  # a request unanswered so long means that the connection is no good
RECONNECT_BASE_S = 0.1  # first wait of the backoff, doubled each time, with full jitter
RECONNECT_CAP_S = 15.0
RECONNECT_STABLE_S = 5.0  # a session that held so long was no failure: the backoff starts anew
DEAD_AFTER_PINGS = 2.5  # silence of so many ping intervals: two pings went unanswered

# -- conversations ----------------------------------------------------------------------------
IDEMPOTENCE_WINDOW = 64  # client ids kept in memory, in two generations; the store has the rest
FAN_OUT_SWEEP_S = 2.0  # how often the log is searched for debts that nobody sees to ...
FAN_OUT_SWEEP_ROWS = 1_024  # ... and how many markers are looked at in one go, at 1 µs each
FAN_OUT_CONFIRM_S = 1.0  # how long a fan-out marker may stay before its recipients are asked

# -- groups -----------------------------------------------------------------------------------
GROUP_MEMBERS_MAX = 256  # each gets an inbox row a message; beyond, it would have to be read by seq
GROUP_NAME_CHARS_MAX = 128
GROUP_DESCRIPTION_CHARS_MAX = 1_024
GROUP_LINKS_MAX = 32  # invite links of one group that are good at a time
GROUP_MARKS_PUSHED_MAX = 32  # members of a group whose marks are pushed; beyond, they are asked for
GROUP_MARKS_DELAY_S = 1.0  # marks of a group are pushed together with those of so long a time
GROUP_PAGE_ITEMS_MAX = 2_600  # CBOR items of a page's records: 200 messages at 13

# -- actors -----------------------------------------------------------------------------------
ENTITY_IDLE_S = 120.0  # a user or conversation without work is stopped; the log has it all
ENTITY_MAILBOX_MAX = 65_536
SESSION_MAILBOX_MAX = 8_192
CALL_TIMEOUT_S = 5.0
VISIT_MESSAGES_MAX = 64  # one actor's share before the next has its turn
TURN_MESSAGES_MAX = 1_024  # messages between two looks at sockets and timers ...
TURN_S = 0.002  # ... and the time that a turn, so also one handler, should take at most
STASH_MAX = 1_024  # messages that an actor may put aside: as many as a turn handles
TIMER_TICK_S = 0.01  # resolution of an actor's timers; the finest delays in use are 50 ms
DEAD_LETTERS_KEPT = 100
ACTORS_SHOWN_MAX = 50  # actors an operator is shown at once, at 37 CBOR items each ...
ACTOR_LINES_MAX = 200  # ... and lines of the tree, at 13
TRACEBACK_CHARS_MAX = 8_192  # of a crash, as text; a deep recursion prints megabytes

# -- sign-in ----------------------------------------------------------------------------------
HASHES_QUEUED_MAX = 64  # at 31 ms each a full queue is one second of waiting on two cores
SIGN_IN_FAILURES_PER_MINUTE = 10  # per account, beyond: refused without hashing
SIGN_IN_BUCKETS_MAX = 4_096  # accounts whose failures are remembered; the oldest is forgotten
DEVICES_MAX = 10  # devices of a user that may sign in; the command line is two of them
TITLE_CHARS_MAX = 64  # how a device, or a user, is shown
ABOUT_CHARS_MAX = 256  # what a user says of oneself
CONTACTS_MAX = 1_000  # of a user; a list of them is one answer

# -- lists ------------------------------------------------------------------------------------
CONVERSATIONS_PAGE_MAX = 50  # at about 50 CBOR items each
UNREAD_COUNTED_MAX = 100  # beyond, nobody counts

# -- presence ---------------------------------------------------------------------------------
OFFLINE_AFTER_S = 60.0  # a user is online for so long after the last sign of life
PRESENCE_TRACKERS = 4  # of a node, each for a range of slots; each asked once by a session
PRESENCE_FLUSH_S = 0.5  # a tracker tells the changes of so long a time together ...
PRESENCE_PUSH_S = 1.0  # ... and a session pushes those of all trackers at most so often
PRESENCE_FORGET_S = 5.0  # nobody's entry stays so long, until what it wrote lazily can be read
WATCHED_MAX = 128  # users that a session watches: what fits on a few screens
SIGNALS_PER_S = 2.0  # typing and the like of one session; beyond: dropped ...
SIGNALS_BURST = 5  # ... but for so many at once
SIGNALS_PER_FLUSH_MAX = 1_024  # that one tracker passes on in one flush; beyond: dropped
SIGNAL_EXPIRES_S = 6.0  # a client shows a signal so long, unless another comes

# -- search -----------------------------------------------------------------------------------
SEARCH_QUERY_CHARS_MAX = 256
SEARCH_WORDS_MAX = 16
SEARCH_HITS_MAX = 50
SEARCH_CONVERSATIONS_MAX = 500  # that one search looks into; beyond, it must name one
SEARCH_FEED_ROWS = 256  # records read at once for the index, 0.3 ms ...
SEARCH_FEED_PAGES = 40  # ... and so often for one search; more is found by the next

# -- retention --------------------------------------------------------------------------------
INBOX_KEEP_S = 2_592_000.0  # 30 days: who did not come for an update in so long takes a snapshot
SENT_KEEP_S = 604_800.0  # 7 days: a client may send again so late, and must not be stored twice
HISTORY_SLACK_S = 86_400.0  # updates that waited long enough are found within a day
SWEEP_EVERY_S = 3_600.0  # from the end of one pass over the store to the next
SWEEP_PAUSE_S = 0.05  # between two steps of a pass; a step takes about 1 ms ...
SWEEP_OWNERS = 32  # ... for it looks at so many users and conversations at most ...
SWEEP_ROWS = 128  # ... and at so many of their rows
SWEEP_SAVE_STEPS = 100  # a restart goes back by no more steps than this
SWEEP_RANGE_ROWS_MIN = 16  # fewer are deleted one by one: a range costs every read a little

# -- the store --------------------------------------------------------------------------------
STORE_TICK_S = 0.2  # how long what need not be synced (cursors, marks) may wait for its write
