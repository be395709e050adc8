//! The task that owns the socket. It decides nothing: it moves bytes and watches the clock.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{Sink as _, SinkExt as _, StreamExt as _};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::http::Response;
use tokio_tungstenite::tungstenite::http::header::DATE;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::link::Shared;
use super::machine::{Failure, Output};
use crate::alarm::Alarm;
use crate::limits::{REMOTE_ACKNOWLEDGE_WITHIN, REMOTE_FAREWELL_WITHIN};
use crate::socket::{self, Address, Dialer, Socket};
use crate::time::Timestamp;
use crate::twilsock::frame::Encoded;

/// Where the service is, and how to get there.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) uri: String,
    pub(super) address: Address,
    pub(super) dialer: Dialer,
    pub(super) frame_bytes_max: usize,
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.uri)
    }
}

type Connection = Box<WebSocketStream<Socket>>;
type Opening = Pin<Box<dyn Future<Output = Result<Opened, Error>> + Send>>;

/// A connection, and what the service's clock said when it was opened, if it said so.
type Opened = (Connection, Option<Timestamp>);

/// What the task has of the present attempt.
#[derive(Default)]
struct Wire {
    attempt: u64,
    opening: Option<Opening>,
    reader: Option<SplitStream<Connection>>,
    writer: Option<Writer>,
}

struct Writer {
    sink: SplitSink<Connection, Message>,
    frames: VecDeque<Encoded>,
    /// Something was handed over that may not have left, or is to leave now.
    is_dirty: bool,
    /// When what waits for company leaves without it.
    due: Option<Instant>,
}

enum Happened {
    Woken,
    TimePassed,
    Opened(Result<Opened, Error>),
    Heard(Option<Result<Message, Error>>),
    Written(Result<(), Error>),
}

/// Runs until the machine is closed.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut wire = Wire::default();
    let mut farewells = Vec::new();
    let mut has_waited = false;
    let mut alarm = Alarm::new();
    loop {
        let (outputs, deadline, is_closed) = shared.quietly(|state, _| {
            (std::mem::take(&mut state.socket), state.machine.deadline(), state.machine.is_closed())
        });
        for output in outputs {
            wire.carry_out(output, &shared.place, &mut farewells);
        }
        farewells.retain(|farewell: &tokio::task::JoinHandle<()>| !farewell.is_finished());
        if is_closed {
            for farewell in farewells {
                let _ = farewell.await;
            }
            return;
        }
        // What others have to say at the same moment goes out with it: an acknowledgement with the request that what
        // was heard brings about.
        if wire.has_to_write() && !has_waited {
            has_waited = true;
            tokio::task::yield_now().await;
            continue;
        }
        has_waited = false;
        wire.follow(&shared, &mut alarm, deadline).await;
    }
}

impl Wire {
    fn carry_out(&mut self, output: Output, place: &Place, farewells: &mut Vec<tokio::task::JoinHandle<()>>) {
        match output {
            Output::Connect(attempt) => {
                *self = Self { attempt, opening: Some(Box::pin(open(place.clone()))), ..Self::default() };
            }
            Output::Send(frame) => {
                if let Some(writer) = &mut self.writer {
                    writer.frames.push_back(frame);
                    writer.is_dirty = true;
                }
            }
            Output::Acknowledge(frame) => {
                if let Some(writer) = &mut self.writer {
                    writer.frames.push_back(frame);
                    writer.due.get_or_insert_with(|| Instant::now() + REMOTE_ACKNOWLEDGE_WITHIN);
                }
            }
            Output::Drop(attempt) if attempt == self.attempt => {
                if let Some(writer) = std::mem::take(self).writer {
                    farewells.push(tokio::spawn(writer.farewell()));
                }
            }
            _ => {}
        }
    }

    fn has_to_write(&self) -> bool {
        self.writer.as_ref().is_some_and(|writer| writer.is_dirty)
    }

    fn fail(&mut self, why: Option<Failure>, shared: &Shared) {
        let attempt = self.attempt;
        *self = Self { attempt, ..Self::default() };
        shared.quietly(|state, moment| state.machine.socket_failed(attempt, why, moment));
    }

    /// Waits for one thing and tells the machine.
    async fn follow(&mut self, shared: &Shared, alarm: &mut Alarm, deadline: Option<Instant>) {
        // What is being written waits for the socket, not for a time.
        let due = self.writer.as_ref().filter(|writer| !writer.is_dirty).and_then(|writer| writer.due);
        alarm.set([deadline, due].into_iter().flatten().min());
        let happened = tokio::select! {
            // Writing first: acknowledgements must not wait behind a flood that is read. Then time, which must pass
            // however much there is to read; then reading; orders of the application last, they have a queue.
            biased;
            written = write(&mut self.writer) => Happened::Written(written),
            () = alarm.rings() => Happened::TimePassed,
            opened = opened(&mut self.opening) => Happened::Opened(opened),
            heard = read(&mut self.reader) => Happened::Heard(heard),
            () = shared.wake.notified() => Happened::Woken,
        };
        let attempt = self.attempt;
        match happened {
            Happened::Woken | Happened::Written(Ok(())) => {}
            Happened::TimePassed => {
                if let Some(writer) = &mut self.writer {
                    writer.is_dirty |= writer.due.is_some_and(|due| due <= Instant::now());
                }
                shared.quietly(|state, moment| state.machine.tick(moment));
            }
            Happened::Opened(Ok((connection, date))) => {
                let (sink, reader) = connection.split();
                self.opening = None;
                self.reader = Some(reader);
                self.writer = Some(Writer { sink, frames: VecDeque::new(), is_dirty: false, due: None });
                shared.quietly(|state, moment| state.machine.socket_opened(attempt, date, moment));
            }
            Happened::Heard(Some(Ok(Message::Binary(message)))) => {
                shared.quietly(|state, moment| state.machine.received(attempt, &message, moment));
            }
            // Twilsock: text is no frame; pings and pongs of this level mean nothing.
            Happened::Heard(Some(Ok(message))) if !matches!(message, Message::Close(_)) => {}
            Happened::Opened(Err(error)) => {
                self.fail(Some(Failure { why: error.to_string(), is_lasting: is_lasting(&error) }), shared);
            }
            Happened::Written(Err(error)) | Happened::Heard(Some(Err(error))) => {
                self.fail(Some(Failure { why: error.to_string(), is_lasting: false }), shared);
            }
            Happened::Heard(_) => self.fail(None, shared),
        }
    }
}

impl Writer {
    /// Hands over what waits. Safe to drop: what was not handed over still waits.
    async fn write(&mut self) -> Result<(), Error> {
        while !self.frames.is_empty() {
            poll_fn(|context| Pin::new(&mut self.sink).poll_ready(context)).await?;
            if let Some(frame) = self.frames.pop_front() {
                self.sink.start_send_unpin(Message::Binary(Bytes::from_owner(frame)))?;
            }
        }
        self.sink.flush().await?;
        (self.is_dirty, self.due) = (false, None);
        Ok(())
    }

    /// Says the last word, if the other side still listens.
    async fn farewell(mut self) {
        let words = async {
            if self.write().await.is_ok() {
                let _ = self.sink.close().await;
            }
        };
        let _ = timeout(REMOTE_FAREWELL_WITHIN, words).await;
    }
}

async fn write(writer: &mut Option<Writer>) -> Result<(), Error> {
    match writer {
        Some(writer) if writer.is_dirty => writer.write().await,
        _ => pending().await,
    }
}

async fn read(reader: &mut Option<SplitStream<Connection>>) -> Option<Result<Message, Error>> {
    match reader {
        Some(reader) => reader.next().await,
        None => pending().await,
    }
}

async fn opened(opening: &mut Option<Opening>) -> Result<Opened, Error> {
    match opening {
        Some(opening) => opening.await,
        None => pending().await,
    }
}

/// The machine bounds the time.
async fn open(place: Place) -> Result<Opened, Error> {
    let socket = place.dialer.dial(&place.address).await.map_err(Error::Io)?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(place.frame_bytes_max))
        .max_frame_size(Some(place.frame_bytes_max));
    // Small frames: the default buffers are made for more. What is written together leaves together.
    let config = config.read_buffer_size(4 * 1_024).write_buffer_size(4 * 1_024);
    let opened = client_async_with_config(place.uri.as_str(), socket, Some(config)).await;
    opened.map(|(connection, response)| (Box::new(connection), date(&response))).map_err(
        |error| match error {
            Error::Http(response) => {
                let status = response.status();
                let why = format!("the service answers {status} instead of a WebSocket: look at its address");
                // Twilsock: 429 passes, as whatever is the server's fault.
                match status.is_client_error() && !matches!(status.as_u16(), 408 | 425 | 429) {
                    true => Error::Io(socket::unusable(why)),
                    false => Error::Io(io::Error::other(why)),
                }
            }
            other => other,
        },
    )
}

/// Whether opening fails in the same way until somebody mends something.
fn is_lasting(error: &Error) -> bool {
    match error {
        Error::Io(error) => socket::is_lasting(error),
        // What answers there does not even speak HTTP.
        Error::Url(_) | Error::HttpFormat(_) | Error::Protocol(ProtocolError::HttparseError(_)) => true,
        _ => false,
    }
}

/// When an answer was given, to the second.
fn date<B>(response: &Response<B>) -> Option<Timestamp> {
    Timestamp::parse_http(response.headers().get(DATE)?.to_str().ok()?)
}
