use super::*;

const QUIET: Duration = Duration::from_secs(10_000);

#[test]
fn a_token_that_ends_closes_the_session_with_410() {
    let settings = Settings { ping_after: QUIET, ..Settings::default() };
    let mut bench = Bench::open(settings, Some(100 * SECOND));
    bench.now = bench.session.deadline().unwrap();
    bench.session.tick(bench.now);
    assert_eq!(bench.closed_with(), (410, Some(51207)));
    assert_eq!(bench.wait(SECOND), [Said::Cut(End::Closed)]);
}

#[test]
fn a_token_that_ends_may_just_cut_the_connection() {
    let settings = Settings { at_expiry: AtExpiry::Cut, ping_after: QUIET, ..Settings::default() };
    let mut bench = Bench::open(settings, Some(100 * SECOND));
    assert_eq!(bench.wait(100 * SECOND), [Said::Cut(End::TokenExpired)]);
}

#[test]
fn a_frame_that_cannot_be_read_ends_the_session_with_406() {
    for message in [&b"TWILSOCK V2.0 2\r\n{}\r\n"[..], b"", &[0; 64]] {
        let mut bench = Bench::open(Settings::default(), None);
        bench.session.received(message, bench.now);
        assert_eq!(bench.closed_with(), (406, Some(51214)));
        bench.session.received(message, bench.now);
        assert_eq!(bench.said(), [], "said once");
    }
}

#[test]
fn frames_are_read_up_to_the_limit() {
    let frame = request().frame("a");
    let settings = |frame_bytes_max| Settings { frame_bytes_max, ..Settings::default() };
    let init_bytes = init().frame("I1").len();
    let mut bench = Bench::open(settings(frame.len().max(init_bytes)), None);
    bench.hear(&frame);
    assert_eq!(bench.said(), [Said::Request("a".into())]);
    let mut bench = Bench::new(settings(init_bytes - 1));
    bench.hear(&init().frame("I1"));
    assert_eq!(bench.closed_with(), (406, Some(51214)));
}

#[test]
fn a_second_init_is_not_acceptable() {
    let mut bench = Bench::open(Settings::default(), None);
    bench.hear(&init().frame("I2"));
    assert_eq!(bench.closed_with(), (406, Some(51214)));
}

#[test]
fn a_client_that_says_goodbye_is_let_go() {
    let mut bench = Bench::open(Settings::default(), None);
    bench.hear(&Close::default().frame("C"));
    assert_eq!(bench.said(), [Said::Cut(End::ByClient)]);
    assert_eq!(bench.session.deadline(), None);
}

#[test]
fn shutting_down_sends_everybody_elsewhere() {
    let backoff = BackoffPolicy::new(SECOND, 2 * SECOND);
    let mut bench = Bench::open(Settings::default(), None);
    bench.session.shut_down(backoff, bench.now);
    let (id, Message::Close(Close { why: Some(why) })) = bench.frame() else { panic!() };
    assert_eq!((why.status.code, why.backoff), (308, Some(backoff)));
    bench.hear(&acknowledge(&id));
    assert_eq!(bench.said(), [Said::Cut(End::Closed)]);
    let mut bench = Bench::new(Settings::default());
    bench.session.shut_down(backoff, bench.now);
    assert_eq!(bench.closed_with().0, 308);
}

#[test]
fn shutting_down_lets_open_requests_be_answered_and_refuses_new_ones() {
    let backoff = BackoffPolicy::new(SECOND, 2 * SECOND);
    let mut bench = Bench::open(Settings::default(), None);
    bench.hear(&request().frame("a"));
    bench.said();
    bench.session.shut_down(backoff, bench.now);
    assert_eq!(bench.said(), []);
    bench.hear(&request().frame("b"));
    assert_eq!(bench.response(), ("b".into(), 503));
    bench.session.respond("a", &Response::empty(204), bench.now);
    let said = bench.said();
    assert!(
        matches!(&said[..], [Said::Frame(a, _), Said::Frame(_, Message::Close(_))] if a == "a"),
        "{said:?}"
    );
}

#[test]
fn shutting_down_waits_only_so_long() {
    let mut bench = Bench::open(Settings::default(), None);
    bench.hear(&request().frame("a"));
    bench.said();
    bench.session.shut_down(BackoffPolicy::new(SECOND, SECOND), bench.now);
    bench.now += 2 * SECOND;
    // Asked again, it does not wait anew.
    bench.session.shut_down(BackoffPolicy::new(SECOND, SECOND), bench.now);
    let said = bench.wait(3 * SECOND);
    assert!(matches!(&said[..], [Said::Frame(_, Message::Close(_))]), "{said:?}");
}

#[test]
fn a_session_that_is_lost_says_nothing_more() {
    let mut bench = Bench::open(Settings::default(), None);
    bench.session.lost();
    bench.session.notify(&notification(), bench.now);
    bench.hear(&request().frame("a"));
    bench.session.tick(bench.now + QUIET);
    assert_eq!((bench.said(), bench.session.deadline()), (Vec::new(), None));
}
