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
DRAIN_SPREAD_EACH_MS = 1  # reconnects after a drain are spread over so long a time for each ...
DRAIN_SPREAD_MS = 10_000  # ... and no longer
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
DEAD_AFTER_PINGS = 2.5  # silence of so many ping intervals: the second ping asked, in vain

# -- conversations ----------------------------------------------------------------------------
IDEMPOTENCE_WINDOW = 64  # client ids kept in memory, in two generations; the store has the rest
HOME_FULL_WAIT_S = 0.2  # after which a conversation tries again to reach a home that was full
FAN_OUT_SWEEP_S = 2.0  # how often the log is searched for debts that nobody sees to ...
FAN_OUT_SWEEP_ROWS = 1_024  # ... and how many markers are looked at in one go, at 1 µs each
WHOIS_WAIT_S = 3.0  # for another node to say whether there is a user; then a post is refused
SHUT_S = 0.8  # what comes behind a post that was refused so is refused too: so long, less than ...
UNAVAILABLE_AFTER_MS = 1_000  # ... when to try again what another node could not be asked
MOVED_AFTER_MS = 200  # ... and what is on its way to another node, which takes no longer as a rule
FAN_OUT_CONFIRM_S = 1.0  # how long a fan-out marker may stay before its recipients are asked

# -- groups -----------------------------------------------------------------------------------
GROUP_MEMBERS_MAX = 1_024  # by default; a node may be set to allow more, or fewer
GROUP_SIZE_MAX = 8_192  # what it may be set to: each post is told to so many homes
GROUP_INLINE_MEMBERS_MAX = 256  # up to here each gets an inbox row a message; beyond, one for many
GROUP_NAMED_MAX = 256  # users that one change may name
GROUP_MOVED_EVERY_S = 0.1  # a big group tells its members what comes in so long a time together
GROUP_MOVED_RECORDS_MAX = 64  # with so many records at most ...
GROUP_MOVED_BYTES_MAX = 65_536  # ... and bytes; what is more is read from the log
GROUP_SLICE_HOMES = 64  # told in one turn: a home that does not run costs 30 µs to start
NUMBER_AGAIN_S = 1.0  # a home on a full disk looks so often whether it may take in what waits
GROUP_NAME_CHARS_MAX = 128
GROUP_DESCRIPTION_CHARS_MAX = 1_024
GROUP_LINKS_MAX = 32  # invite links of one group that are good at a time
GROUP_MARKS_PUSHED_MAX = 32  # members of a group whose marks are pushed; beyond, they are asked for
GROUP_MARKS_DELAY_S = 1.0  # marks of a group are pushed together with those of so long a time
GROUP_PAGE_ITEMS_MAX = 2_600  # CBOR items of a page's records: 200 messages at 13

# -- messages ---------------------------------------------------------------------------------
MENTIONS_MAX = 64  # users that one message names; more is shouting
FILES_MAX = 10  # of a message, at 9 CBOR items each
FILE_HASH_BYTES = 32
FILE_NAME_CHARS_MAX = 255  # what file systems take
FILE_TYPE_CHARS_MAX = 127  # RFC 6838, 4.2, for each half of a media type; in use are less than 80
FORWARD_HOPS_MAX = 99  # clients show "often" from 5 on
EXPIRES_S_MAX = 7_776_000  # 90 days, as the longest that messengers offer
EDIT_WINDOW_S = 900.0  # how long a message may be edited; WhatsApp has 15 minutes
DELETED_AT_ONCE_MAX = 100  # messages in one request; each is read and written anew
EMOJI_CHARS_MAX = 16  # code points; the longest sequence of Unicode 15 has 10
EMOJIS_MAX = 20  # different ones at a message, as Discord has it ...
REACTIONS_MAX = 256  # ... and in all: each is an item of every page that shows the message
RECORD_BYTES_MAX = FRAME_BYTES_MAX - 512  # edits and reactions may not grow one beyond a frame
UPDATES_SEARCHED_MAX = 512  # of a log, at 1 µs each, for copies of a text that is no more
EXPIRED_AT_ONCE_MAX = 1_024  # rows that are turned into tombstones in one go

# -- bots and hooks ---------------------------------------------------------------------------
EVENTS_PAGE_MAX = 100  # events of an answer, or of a post to a hook
EVENTS_PAGE_BYTES_MAX = 131_072  # of their records; one may be longer
EVENTS_WAIT_MS_MAX = 5_000  # half of what a client waits for an answer
EVENTS_KEEP_DAYS = 7.0  # what nobody has fetched in so long a time is dropped
EVENTS_TRIM_S = 60.0
FIREHOSE_BEAT_S = 1.0  # whoever waits for events waits no longer after something went wrong
HOOKS_MAX = 32
HOOK_URL_CHARS_MAX = 2_048
HOOK_SECRET_CHARS_MIN = 16
HOOK_TIMEOUT_S = 5.0  # of one post, from the look-up of the name to the head of the answer
HOOK_POSTS_MAX = 8  # posts under way at once, of all hooks together
HOOK_BACKOFF_BASE_S = 1.0  # first wait after a failure, doubled each time, with full jitter
HOOK_BACKOFF_CAP_S = 300.0
HOOK_BREAK_AFTER = 8  # after so many failures in a row a hook is let alone ...
HOOK_BREAK_S = 300.0  # ... for at least so long before it is tried again
HOOK_REASON_CHARS_MAX = 200

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

# -- links between nodes ------------------------------------------------------------------------
LINK_MESSAGE_BYTES_MAX = 4_194_304  # one message to another node; the longest page is 256 KiB
LINK_FRAME_BYTES_MAX = 262_144  # of a loop's turn, messages together; a longer one goes alone
LINK_ZMQ_BYTES_MAX = 8_388_608  # libzmq hangs up on whoever sends more: never one of ours
LINK_WINDOW_BYTES = 8_388_608  # not yet acked by the peer; beyond, senders are told `LinkFull` ...
LINK_OVERRUN_BYTES = 33_554_432  # ... and with so many answers and Downs on top the link is cut
LINK_ACK_BYTES = 1_048_576  # the peer acks at least so often, an eighth of its window
LINK_TICK_S = 2.0  # a link without traffic says so often that it is there
LINK_SILENT_S = 8.0  # four missed ticks: the peer is down, as with Erlang's net_ticktime, scaled
LINK_SUSPECT_S = 1.0  # to answer once its connection was seen to break
LINK_HELLO_S = 1.0  # between two hellos that nobody has answered
LINK_BEAT_S = 0.25  # how often links look at the clock
LINK_REDIAL_MIN_S = 0.1
LINK_REDIAL_MAX_S = 5.0
LINK_DRAIN_S = 2.0  # for a peer to ack the last of a link that ends
LINK_PIPE_FRAMES = 64  # in libzmq's queue; what waits here is counted in bytes instead
LINK_PASS_FRAMES = 64  # read before the loop has its turn
LINK_HANDSHAKE_S = 5.0  # a connection that has not said who it is
LINK_KEYS_HEARD_MAX = 10_000  # connections whose owner is remembered; the oldest is forgotten
LINK_FOUND_MAX = 16_384  # actors that a peer tells by number and that are found at once

# -- sign-in ----------------------------------------------------------------------------------
HASHES_QUEUED_MAX = 64  # at 31 ms each a full queue is one second of waiting on two cores
SIGN_IN_FAILURES_PER_MINUTE = 10  # per account, beyond: refused without hashing
SOURCE_FAILURES_PER_MINUTE = 100  # from an address; more than HASHES_QUEUED_MAX, all of them right
SIGN_IN_BUCKETS_MAX = 4_096  # accounts whose failures are remembered; the oldest is forgotten
SIGN_UPS_PER_MINUTE = 10  # from an address; each costs a hash
PASSWORD_CHARS_MIN = 8  # that people choose themselves (NIST SP 800-63B, 5.1.1)
INVITATION_SETTLE_S = 5.0  # after which is asked what became of a use that is taken elsewhere
INVITATIONS_MAX = 200  # that are good at a time, at 13 CBOR items each in one list
INVITATION_CHARS_MIN = 16  # of a code: what is kept of it is a digest without salt
INVITATION_CHARS_MAX = 64
INVITATION_USES_MAX = 10_000
INVITATION_VALID_S_MAX = 31_536_000  # a year
TOKEN_RENEW_SHARE = 1 / 3  # of its lifetime left, a client asks for another token ...
TOKEN_RENEW_RETRY_S = 60.0  # ... and again after so long, if that failed
JWT_CHARS_MAX = 2_900  # a token of somebody else's; the rest of a hello has space beside it
JWKS_BYTES_MAX = 262_144
JWKS_KEYS_MAX = 64
JWKS_REFRESH_S = 300.0
JWKS_RETRY_S = 10.0  # after a failure, or between two tokens whose keys are not known
RSA_BITS_MIN = 2_048
DEVICES_MAX = 10  # devices of a user that may sign in; the command line is two of them
TITLE_CHARS_MAX = 64  # how a device, or a user, is shown
ABOUT_CHARS_MAX = 256  # what a user says of oneself
CONTACTS_MAX = 1_000  # of a user; a list of them is one answer
ERASURE_RETRY_S = 2.0  # after which a step of taking a deleted account away is done again
ERASURE_ROWS_AT_ONCE = 2_048  # of state that are looked at in one go, at 1 µs each
KEPT_DEVICES_MAX = 16  # named in a change of password that signs all others out
BLOCKS_MAX = 1_000  # of a user, as of contacts
BLOCK_SPANS_MAX = 256  # times that a user blocked the same other one, with messages in between

# -- lists ------------------------------------------------------------------------------------
CONVERSATIONS_PAGE_MAX = 50  # at about 50 CBOR items each
CONVERSATIONS_ITEMS_MAX = 2_900  # CBOR items of a page of them, ...
CONVERSATION_ITEMS = 58  # ... each with so many at most, beside whom its last change names
GROUPS_PAGE_MAX = 100  # at 13 CBOR items each
MEMBERS_PAGE_MAX = 1_000  # of a group, at 2 CBOR items each ...
RECEIPTS_PAGE_MAX = 400  # ... and at 6, with their marks
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
SEARCH_WAIT_S = 8.0  # for the parts of a search that other nodes have; then it is refused
SEARCH_FEED_ROWS = 256  # records read at once for the index, 0.3 ms ...
SEARCH_ROUNDS = 40  # so often the index is asked for one search, where hits are not shown
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

# -- the registry -----------------------------------------------------------------------------
REGISTRY_PATH_CHARS_MAX = 255
REGISTRY_VALUE_BYTES_MAX = 65_536  # a block of 256 slots takes 4 to 8 KiB; ZooKeeper allows 1 MiB
REGISTRY_OPS_MAX = 256  # of one transaction
REGISTRY_FRAME_BYTES_MAX = 1_048_576  # a transaction, as ZooKeeper's jute.maxbuffer
REGISTRY_TIMEOUT_S = 6.0  # of a session: the node is given up after that
REGISTRY_TIMEOUT_MIN_S = 0.5
REGISTRY_TIMEOUT_MAX_S = 120.0
REGISTRY_CALL_TIMEOUT_S = 5.0  # for one answer
REGISTRY_LEASE_SHARE = 2 / 3  # of the timeout, after which a holder lets go by itself
REGISTRY_BEATS = 6  # heartbeats a timeout: four may get lost before the lease ends
REGISTRY_SESSIONS_MAX = 10_000  # ten for each of a thousand nodes
REGISTRY_CONNECTIONS_MAX = 12_000
REGISTRY_OUTBOX_BYTES_MAX = 4_194_304  # unsent bytes of a connection; beyond, it is closed
REGISTRY_JOURNAL_RECORDS = 10_000  # after which a snapshot is taken and a new journal begun
REGISTRY_RECONNECT_S = 0.1  # first wait of a client's backoff, doubled each time, with jitter
REGISTRY_RECONNECT_CAP_S = 1.0

# -- slots ------------------------------------------------------------------------------------
REPLICAS = 3
SLOT_BLOCK = 256  # slots of one entry of the registry
PLACE_SLACK = 0.1  # a node is left in peace while it is this near to its share
MOVES_AT_ONCE = 64  # slots under way to another node at a time
HANDOFFS_AT_ONCE = 8  # of those, how many one node copies at a time
HANDOFF_PIECE_BYTES = 65_536  # of a copy; a piece is read within one turn
HANDOFF_PIECES = 4  # on their way to a receiver that has not answered
HANDOFF_SMALL = 64  # changes that may be left for when the slot is held ...
HANDOFF_ROUNDS = 64  # ... and after so many rounds it is held anyway
HANDOFF_PATIENCE_S = 10.0  # for a receiver that says nothing ...
HANDOFF_HOLD_S = 1.5  # ... and while entities are held
HANDOFF_TICK_S = 0.5  # how often a hand-over that waits is looked at, or said again
HELD_LOOK_S = 0.005  # how often it is looked whether all entities are held
MEMBER_GONE_S = 600.0  # a node that was away so long is replaced; before, its slots wait for it
MEMBER_ENTER_S = 10.0  # for the links of a node that starts; those missing then are done without
LOAD_BEAT_S = 1.0  # how often a node looks whether others must be told how loaded it is ...
LOAD_TOLD_SHARE = 0.05  # ... which it does when its connections have changed by so much
# -- files ------------------------------------------------------------------------------------
FILE_BYTES_MAX = 67_108_864  # of one file, by default; what others take is 16 MiB to 2 GiB
FILE_QUOTA_BYTES = 1_073_741_824  # of one user's files together, by default
FILE_DISK_FREE_BYTES_MIN = 268_435_456  # of the disk, kept for messages; four write-ahead logs
FILE_TICKET_S = 900.0  # a ticket is good for so long; a phone finds a network again in that time
FILE_TICKETS_MAX = 16_384  # good at the same time, 0.5 KiB each ...
FILE_TICKETS_USER_MAX = 64  # ... and of one user
FILE_TRANSFERS_MAX = 64  # under way at the same time, with 256 KiB of memory each ...
FILE_TRANSFERS_USER_MAX = 8  # ... and of one user
FILE_THREADS = 2  # that write; each transfer has one job with them at most
FILE_RATE_BYTES_PER_S_MIN = 8_192  # a transfer may take as long as at this rate, and this besides:
FILE_GRACE_S = 30.0
FILE_STALL_S = 15.0  # nothing came, or nothing was taken, for so long
FILE_CHUNK_BYTES = 262_144  # that a client reads and writes at once
FILES_PAGE_MAX = 100  # files of one's own in an answer, at 0.2 KiB each
FILE_TRIES_MAX = 5  # a client brings or fetches a file so often before it gives up
