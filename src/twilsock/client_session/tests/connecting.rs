use super::*;

#[test]
fn the_continuation_token_is_presented_again() {
    let mut bench = Bench::live();
    assert_eq!(bench.session.continuation_token(), Some("continue"));
    bench.session.socket_failed(bench.attempt, bench.moment());
    bench.said();
    bench.wait(SHORTEST);
    let attempt = bench.attempt + 1;
    bench.session.socket_opened(attempt, bench.moment());
    let Message::Init(init) = bench.frame().message else { panic!() };
    assert_eq!(init.continuation_token.as_deref(), Some("continue"));
}

#[test]
fn waits_double_until_a_connection_lasts() {
    let mut bench = Bench::new();
    for wait in [800, 1600, 3200, 6400] {
        let Some(Output::Connect(attempt)) = bench.said().pop() else { panic!() };
        bench.session.socket_failed(attempt, bench.moment());
        assert_eq!(bench.said(), [Output::Drop(attempt), Output::Trouble(Trouble::Socket)]);
        let said = bench.wait(Duration::from_millis(wait));
        assert_eq!(said, [Output::Connect(attempt + 1)]);
        bench.session.core.outputs.extend(said);
    }
    // One that breaks at once is a failure too.
    bench.open();
    bench.session.socket_failed(bench.attempt, bench.moment());
    bench.said();
    let said = bench.wait(Duration::from_millis(12_800));
    bench.session.core.outputs.extend(said);
    bench.open();
    bench.stay(10 * SECOND);
    bench.session.socket_failed(bench.attempt, bench.moment());
    bench.said();
    bench.wait(SHORTEST);
}

/// C29: what is in doubt after a lost answer must be looked up before its caller's time is over.
#[test]
fn a_connection_that_was_of_use_is_made_again_soon() {
    let mut bench = Bench::new();
    for _ in 0..7 {
        let Some(Output::Connect(attempt)) = bench.said().pop() else { panic!() };
        bench.session.socket_failed(attempt, bench.moment());
        bench.said();
        bench.now = bench.session.deadline().unwrap();
        bench.session.tick(bench.moment());
    }
    bench.open();
    bench.request();
    let Envelope { id, .. } = bench.frame();
    bench.hear(&Response::empty(204).frame(&id));
    bench.said();
    bench.session.socket_failed(bench.attempt, bench.moment());
    bench.said();
    bench.wait(Duration::from_millis(3_200));
}

#[test]
fn sockets_and_answers_are_not_waited_for_for_ever() {
    let mut bench = Bench::new();
    bench.said();
    let said = bench.wait(60 * SECOND);
    assert_eq!(said, [Output::Drop(1), Output::Trouble(Trouble::Socket)]);
    let said = bench.wait(SHORTEST);
    bench.session.core.outputs.extend(said);
    bench.initialise();
    let said = bench.wait(30 * SECOND);
    assert_eq!(said, [Output::Drop(2), Output::Trouble(Trouble::Silent)]);
}

#[test]
fn a_silent_connection_is_given_up() {
    let mut bench = Bench::live();
    bench.now += 44 * SECOND;
    bench.hear(&ping("P"));
    assert_eq!(bench.said(), [Output::Acknowledge(acknowledge("P"))]);
    let said = bench.wait(45 * SECOND);
    assert_eq!(said, [Output::Drop(1), Output::Lost, Output::Trouble(Trouble::Silent)]);
    assert_eq!(bench.wait(SHORTEST), [Output::Connect(2)]);
}

#[test]
fn everything_but_a_reply_is_acknowledged_before_it_is_acted_on() {
    let mut bench = Bench::live();
    for (frame, others) in
        [(ping("x"), 0), (unknown("x"), 0), (notification("x"), 1), (refusal(503).close("x"), 3)]
    {
        bench.hear(&frame);
        let said = bench.said();
        assert_eq!(said[0], Output::Acknowledge(acknowledge("x")));
        assert_eq!(said.len(), 1 + others, "{said:?}");
    }
    let mut bench = Bench::live();
    bench.hear(&acknowledge("nobody asked"));
    assert_eq!(bench.said(), []);
}

fn unknown(id: &str) -> Encoded {
    let mut header = serde_json::Map::new();
    header.insert("method".into(), "something_new".into());
    header.insert("id".into(), id.into());
    Encoded::with_header(header, &super::super::super::frame::Payload::none())
}

fn notification(id: &str) -> Encoded {
    let payload = super::super::super::frame::Payload::json(&serde_json::json!({ "event_type": "x" }));
    super::super::super::message::Notification { message_type: "twilio.sync.event".into(), payload }.frame(id)
}

#[test]
fn a_refused_init_is_tried_again_when_the_server_says() {
    let policy = Some(BackoffPolicy::new(5 * SECOND, 10 * SECOND));
    for (backoff, wait) in [(policy, 5 * SECOND), (None, SHORTEST)] {
        for code in [429, 500, 503, 418] {
            let mut bench = Bench::new();
            let (id, _) = bench.initialise();
            let refusal = Refusal { backoff, ..refusal(code) };
            bench.hear(&refusal.reply(&id));
            let said = bench.said();
            let [Output::Send(close), Output::Drop(1), Output::Trouble(trouble)] = said.as_slice() else {
                panic!("{said:?}")
            };
            assert_eq!(envelope(close).message, Message::Close(Close::default()));
            assert_eq!(trouble, &Trouble::Refused(refusal));
            assert_eq!(bench.wait(wait), [Output::Connect(2)]);
        }
    }
}

#[test]
fn no_close_is_for_ever() {
    for code in [308, 406, 417, 503, 999] {
        let mut bench = Bench::live();
        bench.hear(&refusal(code).close("C"));
        let said = bench.said();
        assert_eq!(
            said[1..],
            [Output::Drop(1), Output::Lost, Output::Trouble(Trouble::Refused(refusal(code)))]
        );
        assert_eq!(bench.wait(SHORTEST), [Output::Connect(2)]);
    }
    let mut bench = Bench::live();
    bench.hear(&Close::default().frame("C"));
    bench.said();
    assert_eq!(bench.wait(SHORTEST), [Output::Connect(2)]);
}

#[test]
fn an_absence_that_a_server_asks_for_is_kept_even_with_a_new_token() {
    let mut bench = Bench::live();
    let backoff = Some(BackoffPolicy::new(5 * SECOND, 10 * SECOND));
    bench.hear(&Refusal { backoff, ..refusal(308) }.close("C"));
    bench.said();
    bench.token("second");
    assert_eq!(bench.said(), []);
    let said = bench.wait(5 * SECOND);
    bench.session.core.outputs.extend(said);
    assert_eq!(bench.open(), "second");
}

#[test]
fn a_frame_that_cannot_be_read_costs_the_connection() {
    let mut bench = Bench::live();
    bench.session.received(1, b"TWILSOCK V9", bench.moment());
    assert_eq!(bench.said(), [Output::Drop(1), Output::Lost, Output::Trouble(Trouble::Unreadable)]);
}

#[test]
fn what_an_earlier_socket_says_is_not_heard() {
    let mut bench = Bench::live();
    bench.session.reconnect(bench.moment());
    bench.said();
    let said = bench.wait(SHORTEST);
    bench.session.core.outputs.extend(said);
    bench.open();
    bench.session.received(1, expired().bytes(), bench.moment());
    bench.session.socket_failed(1, bench.moment());
    bench.session.socket_opened(1, bench.moment());
    assert_eq!(bench.said(), []);
}

#[test]
fn closing_says_so_and_is_final() {
    let mut bench = Bench::live();
    bench.session.close();
    let said = bench.said();
    let [Output::Send(close), Output::Drop(1)] = said.as_slice() else { panic!("{said:?}") };
    assert_eq!(envelope(close).message, Message::Close(Close::default()));
    bench.token("second");
    bench.session.start(bench.moment());
    bench.session.reconnect(bench.moment());
    assert_eq!((bench.said(), bench.session.deadline()), (vec![], None));
    let ticket = bench.request();
    assert_eq!(bench.said(), [Output::Answer(ticket, Err(RequestError::Closed))]);
}
