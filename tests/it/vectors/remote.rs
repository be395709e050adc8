//! What the recorded server said about documents, said to a remote backend: every recorded answer to a request that such a
//! backend makes, and every change that was told. What a call then gives is compared with the recording.
//!
//! Answers that a backend repeats its request for (502 to 504 to a read) are left to `remote/losses.rs`.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use sp_sync::DocumentId;
use sp_sync::backend::{Backend as _, BackendError, Change, Expect, Remote, Revision, Ttl, Write};
use sp_sync::document::Document;
use sp_sync::token::Token;
use sp_sync::twilsock::message::{Accepted, Message, Notification, Request, Response};
use sp_sync::twilsock::sync::{
    Code, Confirmed, Data, DocumentResource, Event, EventId, Kind, Replay, SubscriptionAnswer, SyncError,
    SyncMessage, SyncRequest,
};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message as Piece;

use super::*;

const SERVICE: &str = "IS00000000000000000000000000000000";
const LONG: Duration = Duration::from_secs(60);

/// A service that answers requests about documents with what it was given, in order.
#[derive(Clone, Default)]
struct Script {
    answers: Arc<Mutex<VecDeque<Response>>>,
    /// Told as soon as somebody has subscribed.
    news: Arc<Mutex<VecDeque<Notification>>>,
}

impl Script {
    fn answer(&self, response: Response) {
        self.answers.lock().unwrap().push_back(response);
    }

    async fn serve(self) -> Remote {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("ws://{}/v3/wsconnect", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                let socket = tokio_tungstenite::accept_async(stream).await.unwrap();
                tokio::spawn(self.clone().speak(socket));
            }
        });
        Remote::builder().uri(uri).token(Token::new("good")).unpaced().build().unwrap()
    }

    async fn speak(self, mut socket: tokio_tungstenite::WebSocketStream<tokio::net::TcpStream>) {
        while let Some(Ok(Piece::Binary(message))) = socket.next().await {
            let Envelope { id, message } = super::envelope(&message).unwrap();
            let frames = match message {
                Message::Init(_) => vec![Accepted::default().frame(&id)],
                Message::Request(request) => self.answers_to(&request, &id),
                _ => Vec::new(),
            };
            for frame in frames {
                // A client may be gone.
                let _ = socket.send(Piece::Binary(frame.bytes().to_vec().into())).await;
            }
        }
    }

    fn answers_to(&self, request: &Request, id: &str) -> Vec<Encoded> {
        let Ok(SyncRequest::Subscribe(batch)) = SyncRequest::read(request, SERVICE) else {
            let answer = self.answers.lock().unwrap().pop_front();
            return vec![answer.unwrap_or_else(|| panic!("{request:?} was not expected")).frame(id)];
        };
        let answer =
            SubscriptionAnswer { estimated_delivery: Duration::from_secs(5), batch_max: 100, ttl: None };
        let mut frames = vec![Response::json(200, answer.payload()).frame(id)];
        for (number, entry) in batch.entries.iter().enumerate() {
            let confirmed = Confirmed {
                sid: entry.sid.clone(),
                kind: Some(Kind::Document),
                replay: Replay::Completed,
                last_event_id: entry.last_event_id,
            };
            frames.push(
                Confirmed::notification(&batch.correlation, &[confirmed]).frame(&format!("TMc{number}")),
            );
        }
        let news = self.news.lock().unwrap().drain(..).collect::<Vec<_>>();
        frames.extend(news.iter().zip(0..).map(|(news, number)| news.frame(&format!("TMn{number}"))));
        frames
    }
}

fn id() -> DocumentId {
    DocumentId::new("doc").unwrap()
}

/// A state before the recorded request: of this SID and event.
fn before(sid: &str, event: EventId) -> Response {
    let resource = DocumentResource {
        sid: sid.into(),
        unique_name: Some("doc".into()),
        account_sid: None,
        service_sid: None,
        url: String::new(),
        links: None,
        revision: event.revision(),
        last_event_id: event,
        date_created: None,
        date_updated: None,
        date_expires: None,
        created_by: None,
    };
    Response::json(200, resource.payload(Some("{}")))
}

fn write(data: Option<Data>, expect: Expect) -> Write {
    let document = data.map(|data| Document::from_json(data.text()).unwrap()).unwrap_or_default();
    Write { document: Arc::new(document), expect, ttl: Ttl::Keep }
}

/// What the contract makes of a refusal; see the table in `src/backend/remote/machine/refusal.rs`.
fn is_meant_by(error: &BackendError, code: u16) -> bool {
    match error {
        BackendError::Conflict => matches!(code, 404 | 409 | 412),
        BackendError::TooLarge { .. } => code == 413,
        BackendError::RateLimited { .. } => code == 429,
        BackendError::Unknown { .. } => matches!(code, 500 | 502 | 504),
        BackendError::Unavailable { .. } => code >= 500,
        BackendError::TokenExpired => code == 401,
        BackendError::Refused { .. } => matches!(code, 400..=403),
        _ => false,
    }
}

/// Makes the call of which the recorded request could have been a part; whether there is one.
async fn call(request: &Request, answer: &Response) -> Option<()> {
    let script = Script::default();
    let asked = SyncRequest::read(request, SERVICE).ok()?;
    let told = DocumentResource::read(&answer.body);
    let revision =
        |resource: &DocumentResource| Revision(u64::try_from(resource.last_event_id.0).unwrap() + 1);
    let sid = "ET00000000000000000000000000000001";
    match asked {
        SyncRequest::GetDocument(_) if matches!(answer.code, 200 | 404) => {
            script.answer(answer.clone());
            let read = script.serve().await.read(&id()).await.unwrap();
            assert_eq!(read.is_some(), answer.code == 200);
            if let (Some(stored), Some((resource, data))) = (read, told) {
                assert_eq!(stored.revision, revision(&resource));
                assert_eq!(*stored.document, Document::from_json(data.unwrap().text()).unwrap());
                assert_eq!(stored.expires.is_some(), resource.date_expires.is_some());
            }
        }
        SyncRequest::CreateDocument(create) => {
            script.answer(answer.clone());
            let remote = script.serve().await;
            match remote.write(&id(), write(create.data, Expect::Absent)).await {
                Ok(written) => assert_eq!(written.revision, revision(&told.unwrap().0)),
                Err(error) => assert!(is_meant_by(&error, answer.code), "{error} for {}", answer.code),
            }
        }
        SyncRequest::UpdateDocument(_, update) => {
            let sid = told.as_ref().map_or(sid, |(resource, _)| &resource.sid);
            let event = told.as_ref().map_or(1, |(resource, _)| resource.last_event_id.0);
            script.answer(before(sid, EventId((event - 1).max(0))));
            script.answer(answer.clone());
            let remote = script.serve().await;
            let found = remote.read(&id()).await.unwrap().unwrap();
            match remote.write(&id(), write(update.data, Expect::Revision(found.revision))).await {
                Ok(written) => assert_eq!(written.revision, revision(&told.unwrap().0)),
                Err(error) => assert!(is_meant_by(&error, answer.code), "{error} for {}", answer.code),
            }
        }
        SyncRequest::RemoveDocument(..) => {
            script.answer(before(sid, EventId(3)));
            script.answer(answer.clone());
            let removed = script.serve().await.remove(&id(), None).await;
            match removed {
                Ok(was_there) => assert_eq!(was_there, answer.is_success()),
                Err(error) => assert!(is_meant_by(&error, answer.code), "{error} for {}", answer.code),
            }
        }
        _ => return None,
    }
    Some(())
}

#[tokio::test]
async fn every_recorded_answer_about_a_document_means_the_same_to_a_remote_backend() {
    let mut calls = std::collections::BTreeMap::<(String, u16), u32>::new();
    for vector in vectors() {
        for (at, asked) in vector.frames.iter().enumerate().filter(|(_, frame)| frame.method() == "message") {
            let Message::Request(request) = asked.envelope().message else { panic!() };
            let answered = |frame: &&Recorded| {
                !frame.to_server && frame.connection == asked.connection && frame.id() == asked.id()
            };
            let Some(answer) = vector.frames[at..].iter().find(answered) else { continue };
            let Message::Reply(reply) = answer.envelope().message else { panic!() };
            // What the transport refuses is not about documents.
            let Ok(response) = reply.into_response() else { continue };
            let called = tokio::time::timeout(LONG, call(&request, &response)).await;
            if called.unwrap_or_else(|_| panic!("{}: no end", asked.place)).is_some() {
                *calls.entry((request.method.to_string(), response.code)).or_default() += 1;
            }
        }
    }
    println!("{calls:?}");
    assert!(calls.values().sum::<u32>() > 150 && calls.len() > 8, "{calls:?}");
}

/// Each change that was told of a document, to a watch that knows the state before it.
#[tokio::test]
async fn every_recorded_change_of_a_document_reaches_a_watch() {
    let mut told = 0;
    for vector in vectors() {
        for frame in vector.frames.iter().filter(|frame| frame.method() == "notification") {
            let message = SyncMessage::read(&frame.payload).unwrap();
            let Message::Notification(notification) = frame.envelope().message else { panic!() };
            let Some((sid, last, data)) = message.events.iter().rev().find_map(|event| match event {
                Event::DocumentUpdated(updated, data) => Some((&updated.sid, updated.id, Some(data.clone()))),
                Event::DocumentRemoved(removed) => Some((&removed.sid, EventId(9), None)),
                _ => None,
            }) else {
                continue;
            };
            let script = Script::default();
            script.answer(before(sid, EventId(0)));
            script.news.lock().unwrap().push_back(notification);
            if data.is_none() {
                // It is looked for, and not there.
                script.answer(SyncError::from(Code::NoSuchName).response());
            }
            let mut watch = script.serve().await.watch(&id()).await.unwrap();
            let reached = async {
                loop {
                    match (watch.next().await.unwrap().unwrap(), &data) {
                        (Change::Updated(stored), Some(data))
                            if i64::try_from(stored.revision.0).unwrap() == last.0 + 1 =>
                        {
                            assert_eq!(*stored.document, Document::from_json(data.text()).unwrap());
                            return;
                        }
                        (Change::Removed, None) => return,
                        _ => {}
                    }
                }
            };
            tokio::time::timeout(LONG, reached).await.unwrap_or_else(|_| panic!("{}: not told", frame.place));
            told += 1;
        }
    }
    println!("{told} changes");
    assert!(told > 30, "{told}");
}
