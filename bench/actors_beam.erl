%% Knows how Erlang's own processes are measured. Must not know Python's.
%%
%% `otp`: gen_servers under a simple_one_for_one supervisor, a tenth of them monitored.
%% `raw`: bare processes, which nobody supervises.
%% Prints "result VALUE CHECKED"; VALUE is CPU microseconds of all of the emulator's threads
%% for each operation, or bytes of resident memory for each process.
-module(actors_beam).
-export([main/5, start_child/0, init/1, handle_cast/2, handle_call/3, handle_info/2]).
-export([terminate/2, raw/2]).
-record(s, {count = 0, peer, main}).

main(Kind, Figure, Count, Live, Os) ->
    {ok, _} = supervisor:start_link({local, pool}, ?MODULE, pool),
    register(main, self()),
    {Value, Checked} = measure(list_to_atom(Figure), Kind, Count, Live, Os),
    io:format("result ~.6f ~b~n", [float(Value), Checked]).

measure(hop_us_1000_pairs, K, Count, Live, Os) -> measure(hop_us, K, Count, Live, Os);
measure(bytes_per_actor_10k, K, Count, Live, Os) -> memory(K, Count, Live, Os);
measure(bytes_per_actor_1m, K, Count, Live, Os) -> memory(K, Count, Live, Os);
measure(hop_us, K, Count, Live, _) ->
    Pairs = [begin [A, B] = start(K, 2), tell(K, A, {peer, B}), tell(K, B, {peer, A}), {A, B} end
             || _ <- lists:seq(1, Live)],
    Each = Count div Live,
    began(),
    [tell(K, A, {hop, Each - 1}) || {A, _} <- Pairs],
    await(done, Live),
    Us = us_each(Each * Live),
    Hops = lists:sum([count(K, A) + count(K, B) || {A, B} <- Pairs]),
    Hops = Each * Live,
    {Us, Hops};
measure(call_us, K, Count, _, _) ->
    [Asker, Callee] = start(K, 2),
    tell(K, Asker, {peer, Callee}),
    began(),
    tell(K, Asker, {ask, Count}),
    await(done, 1),
    Us = us_each(Count),
    Count = count(K, Callee),
    {Us, Count};
measure(spawn_us, K, Count, _, _) ->
    began(),
    Pids = start_bare(K, Count),
    Us = us_each(Count),
    {Us, length([P || P <- Pids, is_process_alive(P)])};
measure(stop_us_100k, K, Count, Live, _) ->
    {Going, Staying} = lists:split(Count, start(K, Live)),
    began(),
    [tell(K, P, stop) || P <- Going],
    await(ended, Count),
    settle(K, hd(Staying)),
    Us = us_each(Count),
    Left = length([P || P <- Staying, is_process_alive(P)]),
    Left = Live - Count,
    {Us, Count};
measure(fanout_us, K, Count, Live, _) ->
    Members = start(K, Live),
    [Group] = start(K, 1),
    tell(K, Group, {peer, Members}),
    Rounds = max(1, Count div Live),
    began(),
    tell(K, Group, {tell_all, Rounds}),
    await(done, 1),
    Delivered = lists:sum([count(K, P) || P <- Members]),
    Us = us_each(Rounds * Live),
    Delivered = Rounds * Live,
    {Us, Delivered}.

memory(K, Count, Live, Os) ->
    Before0 = start(K, Live),
    erlang:garbage_collect(),
    Before = rss(Os),
    Pids = start(K, Count),
    erlang:garbage_collect(),
    Each = (rss(Os) - Before) / Count,
    {Each, length([P || P <- Pids ++ Before0, is_process_alive(P)]) - Live}.

%% -- what is measured -----------------------------------------------------------------------

start(otp, Count) ->
    Pids = start_bare(otp, Count),
    [erlang:monitor(process, P) || {N, P} <- lists:zip(lists:seq(1, Count), Pids), N rem 10 =:= 1],
    Pids;
start(raw, Count) -> start_bare(raw, Count).

start_bare(otp, Count) ->
    [begin {ok, P} = supervisor:start_child(pool, []), P end || _ <- lists:seq(1, Count)];
start_bare(raw, Count) ->
    Main = self(),
    [spawn(?MODULE, raw, [Main, #s{main = Main}]) || _ <- lists:seq(1, Count)].

tell(otp, P, Message) -> gen_server:cast(P, Message);
tell(raw, P, Message) -> P ! Message.

count(otp, P) -> gen_server:call(P, count);
count(raw, P) -> ask(P, count).

ask(P, Message) ->
    Ref = erlang:monitor(process, P, [{alias, reply_demonitor}]),
    P ! {call, Ref, Message},
    receive {Ref, Answer} -> Answer after 5000 -> exit(timeout) end.

%% The supervisor has dealt with all exits that came before.
settle(otp, P) -> {ok, _} = supervisor:get_childspec(pool, P);
settle(raw, _) -> ok.

await(_, 0) -> ok;
await(What, Left) ->
    receive
        What -> await(What, Left - 1);
        {'DOWN', _, _, _, _} -> await(What, Left)  % left there, each receive would pass over it
    after 120000 -> exit({missing, What, Left})
    end.

began() -> statistics(runtime).

us_each(Count) -> {_, Ms} = statistics(runtime), Ms * 1000 / Count.

rss(Os) ->
    {ok, File} = file:open("/proc/" ++ Os ++ "/statm", [read]),
    {ok, Line} = file:read_line(File),
    file:close(File),
    list_to_integer(lists:nth(2, string:lexemes(Line, " "))) * 4096.

%% -- gen_servers ----------------------------------------------------------------------------

start_child() -> gen_server:start_link(?MODULE, session, []).

init(pool) ->
    Child = #{id => session, start => {?MODULE, start_child, []}, restart => temporary},
    {ok, {#{strategy => simple_one_for_one}, [Child]}};
init(session) -> {ok, #s{main = whereis(main)}}.

handle_call(count, _, S) -> {reply, S#s.count, S};
handle_call({echo, X}, _, S) -> {reply, X, S#s{count = S#s.count + 1}}.

handle_cast({peer, P}, S) -> {noreply, S#s{peer = P}};
handle_cast(hit, S) -> {noreply, S#s{count = S#s.count + 1}};
handle_cast({hop, 0}, S) -> S#s.main ! done, {noreply, S#s{count = S#s.count + 1}};
handle_cast({hop, N}, S) ->
    gen_server:cast(S#s.peer, {hop, N - 1}),
    {noreply, S#s{count = S#s.count + 1}};
handle_cast({ask, N}, S) ->
    [X = gen_server:call(S#s.peer, {echo, X}) || X <- lists:seq(1, N)],
    S#s.main ! done,
    {noreply, S};
handle_cast({tell_all, N}, S) ->
    [gen_server:cast(P, hit) || P <- S#s.peer],
    case N of
        1 -> S#s.main ! done;
        _ -> gen_server:cast(self(), {tell_all, N - 1})
    end,
    {noreply, S};
handle_cast(stop, S) -> {stop, normal, S}.

handle_info(_, S) -> {noreply, S}.

terminate(_, #s{main = Main}) -> Main ! ended, ok.

%% -- bare processes -------------------------------------------------------------------------

raw(Main, S) ->
    receive
        {peer, P} -> raw(Main, S#s{peer = P});
        hit -> raw(Main, S#s{count = S#s.count + 1});
        {hop, 0} -> Main ! done, raw(Main, S#s{count = S#s.count + 1});
        {hop, N} -> S#s.peer ! {hop, N - 1}, raw(Main, S#s{count = S#s.count + 1});
        {call, Ref, count} -> Ref ! {Ref, S#s.count}, raw(Main, S);
        {call, Ref, X} -> Ref ! {Ref, X}, raw(Main, S#s{count = S#s.count + 1});
        {ask, N} ->
            [X = ask(S#s.peer, X) || X <- lists:seq(1, N)],
            Main ! done,
            raw(Main, S);
        {tell_all, N} ->
            [P ! hit || P <- S#s.peer],
            case N of
                1 -> Main ! done;
                _ -> self() ! {tell_all, N - 1}
            end,
            raw(Main, S);
        stop -> Main ! ended
    end.
