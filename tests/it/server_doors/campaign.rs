//! Attacks on a serving process: none ends it, none lets anybody in, none makes it grow, and while they last others are
//! served.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use sp_sync::twilsock::message::{InitReply, Method};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::rustls::pki_types::ServerName;

use super::command_line::{Desk, Running, SERVE};
use super::http::Client;
use super::reaching::token_of;
use super::tls_file;
use crate::server::party::{Party, plain};
use crate::support::Dice;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

/// What a process may grow by while the same attack is repeated: less than it would keep of one round.
const GROWTH_KIB: u64 = 6 * 1_024;

/// Rounds until the allocator has all that an attack needs of it.
const SETTLED_AFTER: usize = 1;

/// The same for messages of megabytes, whose memory it keeps for the next, in an order that is another each time.
const LARGE_SETTLED_AFTER: usize = 4;

impl Running {
    fn at(&self) -> SocketAddr {
        self.url.split_once("://").unwrap().1.parse().unwrap()
    }

    /// What the process has in memory.
    fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Somebody with a good token reads, writes and hears of it.
    async fn serves(&self, name: &str) {
        let mut honest = Party::join(self.at(), token_of("back end").secret()).await;
        let (_, made) = honest.call(Method::Post, "/v3/Documents", json!({ "unique_name": name })).await;
        let sid = made["sid"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
        let mut other = Party::join(self.at(), token_of("back end").secret()).await;
        other.establish(&sid, Value::Null, 1).await;
        honest.set(name, json!({ "honest": 1 })).await;
        assert_eq!(other.told().await["event"]["document_data"]["honest"], 1);
        assert_eq!(honest.call(Method::Delete, &format!("/v3/Documents/{name}"), Value::Null).await.0, 204);
    }
}

/// Repeats an attack, sees that others are served afterwards, and that only the first rounds cost memory.
async fn repeat<F: Future<Output = ()>>(
    what: &str,
    settled_after: usize,
    running: &Running,
    attack: impl Fn(SocketAddr, u64) -> F,
) {
    let mut kept = Vec::new();
    for round in 0..settled_after as u64 + 3 {
        timeout(4 * LONG, attack(running.at(), round)).await.expect("it ends");
        running.serves(&format!("honest {round}")).await;
        kept.push(running.resident_kib());
    }
    println!("{what}: {kept:?} KiB");
    let (settled, later) = kept.split_at(settled_after);
    let most = settled.iter().max().unwrap() + GROWTH_KIB;
    assert!(later.last().unwrap() <= &most, "{what} makes it grow: {kept:?} KiB");
}

/// A socket on which the server speaks WebSocket, for bytes of one's own.
async fn upgraded(at: SocketAddr) -> TcpStream {
    let mut socket = TcpStream::connect(at).await.unwrap();
    let ask = b"GET /v3/wsconnect HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
        sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    socket.write_all(ask).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    socket
}

/// Sends as much as the server takes; whether it hung up before the end.
async fn send(socket: &mut TcpStream, bytes: &[u8]) -> bool {
    timeout(LONG, socket.write_all(bytes)).await.expect("it takes them or hangs up").is_err()
}

/// Waits until the server hangs up, whatever it says before.
async fn hung_up(socket: &mut TcpStream) {
    let mut said = [0; 4_096];
    let reading = async { while !matches!(socket.read(&mut said).await, Ok(0) | Err(_)) {} };
    timeout(LONG, reading).await.expect("it hangs up");
}

fn random(dice: &mut Dice, length: usize) -> Vec<u8> {
    (0..length).map(|_| u8::try_from(dice.roll(256)).unwrap()).collect()
}

/// One piece of a WebSocket message; masked, as clients must, with zeros.
fn piece(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first, 0x80 | 127];
    bytes.extend(u64::try_from(payload.len()).unwrap().to_be_bytes());
    if payload.len() < 126 {
        bytes = vec![first, 0x80 | u8::try_from(payload.len()).unwrap()];
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_random_bytes_do_nothing() {
    let desk = Desk::new();
    let running = desk.start(SERVE);
    repeat("random bytes", SETTLED_AFTER, &running, async |at, round| {
        let mut dice = Dice::new(round + 1);
        for number in 0..256 {
            // To the socket as it is, and after the upgrade.
            let mut socket =
                if number % 2 == 0 { TcpStream::connect(at).await.unwrap() } else { upgraded(at).await };
            send(&mut socket, &random(&mut dice, 4_096)).await;
        }
    })
    .await;
    assert_eq!(running.end().0, Some(0));
}

/// Frames that were good before something happened to them, from somebody who was let in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_frames_end_their_own_session_at_most() {
    let desk = Desk::new();
    let running = desk.start(&format!("{SERVE} --requests-per-s 100000"));
    repeat("damaged frames", SETTLED_AFTER, &running, async |at, round| {
        let mut dice = Dice::new(round + 1);
        let token = token_of("back end");
        for number in 0..300_u64 {
            let mut party = Party::join(at, token.secret()).await;
            let body = json!({ "unique_name": "damaged", "data": { "text": "x".repeat(100) }, "ttl": 1 });
            let good = plain(Method::Post, "/v3/Documents", &body, Some("0")).frame("TM1").bytes().to_vec();
            for _ in 0..8 {
                let mut bytes = good.clone();
                for _ in 0..=dice.roll(4) {
                    let at = usize::try_from(dice.roll(u64::try_from(bytes.len()).unwrap())).unwrap();
                    match dice.roll(3) {
                        0 => bytes[at] = u8::try_from(dice.roll(256)).unwrap(),
                        1 => bytes.truncate(at.max(1)),
                        _ => bytes.insert(at, b'9'),
                    }
                }
                if !party.try_send_bytes(bytes).await {
                    break;
                }
            }
            if number % 10 == 0 {
                // Some wait for what is said to that.
                party.try_send_bytes(b"TWILSOCK V3.0 99999999999999999999\r\n".to_vec()).await;
                party.ended().await;
            }
        }
    })
    .await;
    assert_eq!(running.end().0, Some(0));
}

/// Messages that never end, or say that they are longer than any memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endless_messages_are_cut_off() {
    let desk = Desk::new();
    let running = desk.start(SERVE);
    repeat("endless messages", LARGE_SETTLED_AFTER, &running, async |at, _| {
        let mut attacks = JoinSet::new();
        for number in 0..16 {
            attacks.spawn(async move {
                let mut socket = upgraded(at).await;
                if number % 2 == 0 {
                    let mut said = piece(0x82, b"")[..1].to_vec();
                    said.extend([0x80 | 127]);
                    said.extend((u64::MAX >> 1).to_be_bytes());
                    send(&mut socket, &said).await;
                } else {
                    let part = vec![b'x'; 65_536];
                    let mut first = 0x02;
                    // A message may have 2 MiB and some; this would be 16.
                    for _ in 0..256 {
                        if send(&mut socket, &piece(first, &part)).await {
                            return;
                        }
                        first = 0x00;
                    }
                }
                hung_up(&mut socket).await;
            });
        }
        attacks.join_all().await;
    })
    .await;
    assert_eq!(running.end().0, Some(0));
}

/// Pings that ask for pongs which nobody reads, before and after the first frame.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_of_pings_are_answered_or_cut_off() {
    let desk = Desk::new();
    let running = desk.start(SERVE);
    repeat("pings", SETTLED_AFTER, &running, async |at, _| {
        let mut attacks = JoinSet::new();
        for _ in 0..8 {
            attacks.spawn(async move {
                let mut socket = upgraded(at).await;
                let pings = piece(0x89, &[b'p'; 125]).repeat(100);
                for _ in 0..200 {
                    if send(&mut socket, &pings).await {
                        return;
                    }
                }
            });
        }
        attacks.join_all().await;
    })
    .await;
    assert_eq!(running.end().0, Some(0));
}

/// Ten thousand tokens that are not good, at the door of the sessions; and at that of REST, where whoever guesses is
/// soon not listened to any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_bad_tokens_let_nobody_in() {
    let desk = Desk::new();
    let running = desk.start(SERVE);
    repeat("bad tokens", SETTLED_AFTER, &running, async |at, round| {
        let mut attacks = JoinSet::new();
        for part in 0..5 {
            attacks.spawn(async move {
                let good = token_of("back end");
                for number in 0..500 {
                    let forged = format!("{}{round}{part}{number}", good.secret());
                    let mut party = Party::connect(at).await;
                    match party.init(&forged, None).await {
                        InitReply::Refused(refusal) => assert_eq!(refusal.status.code, 401),
                        InitReply::Accepted(_) => panic!("let in"),
                    }
                }
            });
        }
        attacks.join_all().await;
    })
    .await;
    let mut client = running.client().await;
    let mut heard = std::collections::BTreeMap::<u16, u32>::new();
    for number in 0..10_000 {
        let login = super::http::base64(&format!("{}:{number}", super::KEY));
        let header = [("authorization", format!("Basic {login}"))];
        let header: Vec<_> = header.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let reply = client.ask("GET", "/v1/Services/default/Documents", &header, "").await;
        *heard.entry(reply.status).or_default() += 1;
    }
    println!("REST: {heard:?}");
    assert!(heard[&429] > 9_000 && heard[&401] >= 30 && heard.len() == 2, "{heard:?}");
    assert_eq!(running.end().0, Some(0));
}

/// Sockets that begin a handshake or a request and never come to its end, hundreds at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_dribble_are_hung_up_on_and_others_are_served_meanwhile() {
    const ALL: usize = 300;
    let desk = Desk::new();
    for name in ["first.pem", "first.key.pem"] {
        std::fs::copy(tls_file(name), desk.path(name)).unwrap();
    }
    let plain = desk.start(SERVE);
    let with_tls = desk.start(&format!("{SERVE} --tls-cert @first.pem --tls-key @first.key.pem"));
    let began = Instant::now();
    let mut slow = JoinSet::new();
    for number in 0..ALL {
        let at = if number % 3 == 0 { with_tls.at() } else { plain.at() };
        slow.spawn(async move {
            // Beginnings of a TLS handshake, of a request, and, after the upgrade, of nothing at all.
            let (mut socket, words): (_, &[u8]) = match number % 3 {
                0 => (TcpStream::connect(at).await.unwrap(), b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
                1 => (TcpStream::connect(at).await.unwrap(), b"GET /v3/wsconnect HTTP/1.1\r\nhost: somebody"),
                _ => (upgraded(at).await, b"\x82\xfe\xff"),
            };
            for word in words {
                if socket.write_all(&[*word]).await.is_err() {
                    return;
                }
                sleep(Duration::from_millis(100)).await;
            }
            hung_up(&mut socket).await;
        });
    }
    let mut served = 0;
    let mut longest = Duration::ZERO;
    while !slow.is_empty() {
        while slow.try_join_next().is_some_and(|done| done.is_ok()) {}
        let before = Instant::now();
        plain.serves(&format!("honest {served}")).await;
        let stream = TcpStream::connect(with_tls.at()).await.unwrap();
        let name = ServerName::try_from("first").unwrap();
        let stream = super::serving::connector().connect(name, stream).await.unwrap();
        assert_eq!(Client::over(stream).ask("GET", "/healthz", &[], "").await.status, 200);
        longest = longest.max(before.elapsed());
        served += 1;
        assert!(began.elapsed() < 2 * LONG, "{} are still there", slow.len());
        sleep(Duration::from_millis(50)).await;
    }
    println!(
        "{served} served while {ALL} dribbled, the slowest in {longest:?}; all gone after {:?}",
        began.elapsed()
    );
    assert!(served > 10);
    for running in [plain, with_tls] {
        assert_eq!(running.end().0, Some(0));
    }
}
