//! A small service in this process, to which faults can be ordered. Unlike a server of this crate it can behave as the
//! original's service: event ids begin anew with a document made anew, and DELETE knows no condition.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use futures_util::{SinkExt as _, StreamExt as _};
use sp_sync::token::Token;
use sp_sync::twilsock::message::{
    AccountDescriptor, Method, Notification, Refusal, Request, Response, Status,
};
use sp_sync::twilsock::server_session::{Admission, Asking, Output, ServerSession, Settings, Verdict};
use sp_sync::twilsock::sync::{
    Address, Code, Confirmed, Correlation, DocumentRemoved, DocumentResource, DocumentUpdated, EventId,
    FailedSubscription, Kind, Replay, SubscribeAction, SubscriptionAnswer, SubscriptionBatch, SyncError,
    SyncMessage, SyncRequest, Timestamp, Ttl,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

const SERVICE: &str = "IS00000000000000000000000000000000";

/// What becomes of one request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fate {
    /// It is carried out and answered.
    Pass,
    /// It is not carried out, and answered with this status and number.
    Answer(u16, u32),
    /// It is carried out, and the connection cut before the answer.
    CutAfter,
    /// The connection is cut instead of carrying it out.
    CutBefore,
    /// It is carried out, and never answered.
    Silence,
}

type Plan = Box<dyn FnMut(&Request) -> Fate + Send>;

#[derive(Clone)]
pub(crate) struct Peer {
    inner: Arc<Inner>,
    pub(crate) uri: String,
}

struct Inner {
    state: Mutex<State>,
    plan: Mutex<Plan>,
    connections: AtomicU64,
    /// Makes the numbering begin anew.
    is_original: bool,
}

#[derive(Default)]
struct State {
    documents: BTreeMap<String, Doc>,
    peers: HashMap<u64, mpsc::Sender<Order>>,
    /// Who hears of which document.
    subscribers: BTreeSet<(String, u64)>,
    /// Greatest event ids of documents that are gone.
    gone: BTreeMap<String, i64>,
    made: u64,
    /// Every request, as `GET /v3/Documents/x`.
    heard: Vec<String>,
    tokens: Vec<String>,
    continuations: Vec<String>,
    /// Confirmations that say that only a part was told.
    interruptions: VecDeque<bool>,
    refused_subscriptions: BTreeMap<String, SyncError>,
    session: Settings,
    token_lasts: Option<Duration>,
}

#[derive(Clone)]
struct Doc {
    sid: String,
    event: i64,
    data: String,
    created: Timestamp,
    updated: Timestamp,
    expires: Option<Timestamp>,
}

enum Order {
    Notify(Notification),
    Cut,
}

#[expect(clippy::disallowed_methods, reason = "a service states its own time")]
fn now() -> Timestamp {
    Timestamp::from(SystemTime::now())
}

impl Peer {
    pub(crate) async fn start() -> Self {
        Self::with(false).await
    }

    pub(crate) async fn original() -> Self {
        Self::with(true).await
    }

    async fn with(is_original: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("ws://{}/v3/wsconnect", listener.local_addr().unwrap());
        let inner = Arc::new(Inner {
            state: Mutex::default(),
            plan: Mutex::new(Box::new(|_| Fate::Pass)),
            connections: AtomicU64::new(0),
            is_original,
        });
        let peer = Self { inner: inner.clone(), uri };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(inner.clone(), stream));
            }
        });
        peer
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap()
    }

    /// Decides about every request from now on.
    pub(crate) fn plan(&self, plan: impl FnMut(&Request) -> Fate + Send + 'static) {
        *self.inner.plan.lock().unwrap() = Box::new(plan);
    }

    /// Cuts every connection.
    pub(crate) fn cut(&self) {
        for peer in self.state().peers.values() {
            let _ = peer.try_send(Order::Cut);
        }
    }

    pub(crate) fn connections(&self) -> u64 {
        self.inner.connections.load(Ordering::SeqCst)
    }

    /// Connections that stand.
    pub(crate) fn present(&self) -> usize {
        self.state().peers.len()
    }

    /// How many requests begin with this.
    pub(crate) fn heard(&self, begin: &str) -> usize {
        self.state().heard.iter().filter(|heard| heard.starts_with(begin)).count()
    }

    /// Tokens presented, in order.
    pub(crate) fn tokens(&self) -> Vec<String> {
        self.state().tokens.clone()
    }

    pub(crate) fn interrupt(&self, times: usize) {
        self.state().interruptions = std::iter::repeat_n(true, times).collect();
    }

    pub(crate) fn refuse_subscription(&self, name: &str, error: SyncError) {
        self.state().refused_subscriptions.insert(name.to_owned(), error);
    }

    /// Tokens last so long from now on.
    pub(crate) fn tokens_last(&self, lasts: Duration) {
        let mut state = self.state();
        state.token_lasts = Some(lasts);
        state.session.token_warning = lasts / 2;
    }

    /// Tokens last for an hour from now on, and are warned of after so long.
    pub(crate) fn warn_after(&self, after: Duration) {
        let hour = Duration::from_secs(3_600);
        let mut state = self.state();
        state.token_lasts = Some(hour);
        state.session.token_warning = hour - after;
    }

    /// Continuation tokens presented, in order; empty for none.
    pub(crate) fn continuations(&self) -> Vec<String> {
        self.state().continuations.clone()
    }

    /// Whether somebody is subscribed to the document of this name.
    pub(crate) fn is_subscribed(&self, name: &str) -> bool {
        let state = self.state();
        let Some(doc) = state.documents.get(name) else { return false };
        state.subscribers.iter().any(|(sid, _)| *sid == doc.sid)
    }

    /// Writes as another client would, over whatever is there.
    pub(crate) fn overwrite(&self, name: &str, data: &str) {
        let mut state = self.state();
        match state.documents.contains_key(name) {
            true => state.update(name, Some(data.to_owned()), None, u64::MAX),
            false => state.create(name, data.to_owned(), None, self.inner.is_original),
        }
    }

    pub(crate) fn remove(&self, name: &str) {
        self.state().remove(name);
    }
}

impl State {
    fn expire(&mut self) {
        let expired = |doc: &Doc| doc.expires.is_some_and(|end| end <= now());
        let names: Vec<String> =
            self.documents.iter().filter(|(_, doc)| expired(doc)).map(|(name, _)| name.clone()).collect();
        for name in names {
            self.remove(&name);
        }
    }

    fn remove(&mut self, name: &str) {
        let Some(doc) = self.documents.remove(name) else { return };
        self.gone.insert(name.to_owned(), doc.event);
        let removed = DocumentRemoved {
            sid: doc.sid.clone(),
            id: Some(EventId(doc.event + 1)),
            date_created: Some(now()),
        };
        self.tell(&doc.sid, &removed.notification(), None);
        self.subscribers.retain(|(sid, _)| *sid != doc.sid);
    }

    fn tell(&self, sid: &str, notification: &Notification, author: Option<u64>) {
        for (_, peer) in self.subscribers.iter().filter(|(own, peer)| own == sid && Some(*peer) != author) {
            if let Some(peer) = self.peers.get(peer) {
                peer.try_send(Order::Notify(notification.clone())).unwrap();
            }
        }
    }

    fn create(&mut self, name: &str, data: String, ttl: Option<Ttl>, is_original: bool) {
        self.made += 1;
        let sid = match is_original {
            true => format!("ET{:032x}", self.made),
            false => format!("ET{:032x}", uuid_of(name)),
        };
        let event = if is_original { 0 } else { self.gone.get(name).map_or(0, |event| event + 1) };
        let created = now();
        let doc = Doc { sid, event, data, created, updated: created, expires: expires(ttl, created) };
        self.documents.insert(name.to_owned(), doc);
    }

    fn update(&mut self, name: &str, data: Option<String>, ttl: Option<Ttl>, author: u64) {
        let Some(doc) = self.documents.get_mut(name) else { return };
        doc.event += 1;
        doc.updated = now();
        if let Some(data) = data {
            doc.data = data;
        }
        if ttl.is_some() {
            doc.expires = expires(ttl, doc.updated);
        }
        let doc = doc.clone();
        let told = doc.told(name).notification(&doc.data, None);
        self.tell(&doc.sid, &told, Some(author));
    }

    fn name_of(&self, address: &Address) -> Option<String> {
        match address {
            Address::Name(name) => self.documents.contains_key(name).then(|| name.clone()),
            Address::Sid(sid) => {
                self.documents.iter().find(|(_, doc)| doc.sid == *sid).map(|(name, _)| name.clone())
            }
        }
    }
}

impl Doc {
    fn told(&self, name: &str) -> DocumentUpdated {
        DocumentUpdated {
            id: EventId(self.event),
            sid: self.sid.clone(),
            unique_name: Some(name.to_owned()),
            revision: Some(EventId(self.event).revision()),
            date_created: Some(self.updated),
            date_expires: Some(self.expires),
        }
    }

    fn resource(&self, name: &str) -> DocumentResource {
        DocumentResource {
            sid: self.sid.clone(),
            unique_name: Some(name.to_owned()),
            account_sid: None,
            service_sid: None,
            url: DocumentResource::url_of("https://cds.example", SERVICE, &self.sid),
            links: None,
            revision: EventId(self.event).revision(),
            last_event_id: EventId(self.event),
            date_created: Some(self.created),
            date_updated: Some(self.updated),
            date_expires: self.expires,
            created_by: None,
        }
    }
}

fn uuid_of(name: &str) -> u128 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u128;
    for byte in name.bytes() {
        hash = (hash ^ u128::from(byte)).wrapping_mul(0x0000_0100_0000_01b3_0000_0100_0000_01b3);
    }
    hash
}

fn expires(ttl: Option<Ttl>, from: Timestamp) -> Option<Timestamp> {
    match ttl {
        Some(Ttl::After(duration)) => Some(from.after(duration)),
        _ => None,
    }
}

impl Inner {
    /// Carries a request out; answers it, and what is to be said after the answer.
    fn carry_out(&self, request: &Request, peer: u64) -> (Response, Vec<Notification>) {
        let mut state = self.state.lock().unwrap();
        state.expire();
        let answer = match SyncRequest::read(request, SERVICE) {
            Err(error) => Err(error),
            Ok(SyncRequest::Subscribe(batch)) => {
                let said = state.subscribe(&batch, peer);
                let answer = SubscriptionAnswer {
                    estimated_delivery: Duration::from_secs(1),
                    batch_max: 3,
                    ttl: None,
                };
                return (Response::json(200, answer.payload()), said);
            }
            Ok(SyncRequest::CreateDocument(create)) => {
                let name = create.unique_name.unwrap();
                match state.documents.contains_key(&name) {
                    true => Err(Code::NameTaken.into()),
                    false => {
                        let data =
                            create.data.map_or_else(|| "{}".to_owned(), |data| data.text().to_string());
                        state.create(&name, data, create.ttl, self.is_original);
                        Ok(Response::json(201, state.documents[&name].resource(&name).payload(None)))
                    }
                }
            }
            Ok(SyncRequest::GetDocument(address)) => state.name_of(&address).map_or_else(
                || Err(missing(&address)),
                |name| {
                    let doc = &state.documents[&name];
                    Ok(Response::json(200, doc.resource(&name).payload(Some(&doc.data))))
                },
            ),
            Ok(SyncRequest::UpdateDocument(address, update)) => match state.name_of(&address) {
                None => Err(missing(&address)),
                Some(name) => {
                    let present = EventId(state.documents[&name].event).revision();
                    match update.if_match.is_some_and(|expected| expected != present) {
                        true => Err(Code::StaleDocument.into()),
                        false => {
                            let data = update.data.map(|data| data.text().to_string());
                            state.update(&name, data, update.ttl, peer);
                            Ok(Response::json(200, state.documents[&name].resource(&name).payload(None)))
                        }
                    }
                }
            },
            Ok(SyncRequest::RemoveDocument(address, ..)) => match state.name_of(&address) {
                None => Err(missing(&address)),
                Some(name) => {
                    let present = EventId(state.documents[&name].event).revision();
                    match request.header("If-Match").filter(|_| !self.is_original) {
                        Some(expected) if expected != present.as_str() => Err(Code::StaleDocument.into()),
                        _ => {
                            let sid = state.documents[&name].sid.clone();
                            state.subscribers.remove(&(sid, peer));
                            state.remove(&name);
                            Ok(Response::empty(204))
                        }
                    }
                }
            },
            Ok(_) => Err(Code::NoSuchPath.into()),
        };
        (answer.unwrap_or_else(|error: SyncError| error.response()), Vec::new())
    }
}

impl State {
    fn subscribe(&mut self, batch: &SubscriptionBatch, peer: u64) -> Vec<Notification> {
        let correlation: &Correlation = &batch.correlation;
        let mut said = Vec::new();
        for entry in &batch.entries {
            if batch.action == SubscribeAction::Cancel {
                self.subscribers.remove(&(entry.sid.clone(), peer));
                said.push(SyncMessage::canceled(correlation, &[(entry.sid.clone(), Some(Kind::Document))]));
                continue;
            }
            let failed = |error: SyncError| {
                let failed = FailedSubscription { sid: entry.sid.clone(), kind: Some(Kind::Document), error };
                FailedSubscription::notification(correlation, &[failed])
            };
            let Some(name) = self.name_of(&Address::Sid(entry.sid.clone())) else {
                said.push(failed(Code::NoDocument.into()));
                continue;
            };
            if let Some(error) = self.refused_subscriptions.remove(&name) {
                said.push(failed(error));
                continue;
            }
            let doc = self.documents[&name].clone();
            self.subscribers.insert((entry.sid.clone(), peer));
            let last = entry.last_event_id.map_or(i64::MAX, |id| id.0);
            let interrupted = self.interruptions.pop_front().unwrap_or(false);
            if doc.event > last {
                said.push(doc.told(&name).notification(&doc.data, Some(correlation)));
            }
            let replay = if interrupted { Replay::Interrupted } else { Replay::Completed };
            let confirmed = Confirmed {
                sid: entry.sid.clone(),
                kind: Some(Kind::Document),
                replay,
                last_event_id: Some(EventId(doc.event)),
            };
            said.push(Confirmed::notification(correlation, &[confirmed]));
        }
        said
    }
}

fn missing(address: &Address) -> SyncError {
    match address {
        Address::Sid(_) => Code::NoDocument.into(),
        Address::Name(_) => Code::NoSuchName.into(),
    }
}

/// A token's text says what becomes of it.
fn verdict(inner: &Inner, token: &Token, asking: &Asking) -> Verdict {
    let mut state = inner.state.lock().unwrap();
    state.tokens.push(token.secret().to_owned());
    if let Asking::Init(init) = asking {
        state.continuations.push(init.continuation_token.clone().unwrap_or_default());
    }
    let refused = |code, why: &str| Verdict::Refused(Refusal::from(Status::new(401).because(code, why)));
    if token.secret().starts_with("expired") {
        return refused(20_104, "Access token has expired");
    }
    if token.secret().starts_with("forged") {
        return refused(20_107, "Invalid signature");
    }
    let instance_sids = [("data_sync".to_owned(), SERVICE.to_owned())].into_iter().collect();
    let account = AccountDescriptor {
        account_sid: "AC00000000000000000000000000000000".into(),
        instance_sids,
        identity: "agent".into(),
    };
    Verdict::Accepted(Box::new(Admission {
        account,
        lasts: state.token_lasts,
        continuation_token: Some("continue".into()),
        continuation_status: None,
        storage_id: None,
    }))
}

async fn serve(inner: Arc<Inner>, stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    let Ok(socket) = tokio_tungstenite::accept_async(stream).await else { return };
    let peer = inner.connections.fetch_add(1, Ordering::SeqCst) + 1;
    let (sender, mut orders) = mpsc::channel(10_000);
    let settings = inner.state.lock().unwrap().session.clone();
    let settings = Settings { requests_per_s: 1_000_000, ..settings };
    inner.state.lock().unwrap().peers.insert(peer, sender);
    let mut session = ServerSession::new(settings, peer, Instant::now());
    let (mut sink, mut stream) = socket.split();
    let mut sweep = tokio::time::interval(Duration::from_millis(100));
    'connection: loop {
        while let Some(output) = session.next_output() {
            match output {
                Output::Send(frame) => {
                    if sink.send(Message::Binary(frame.bytes().to_vec().into())).await.is_err() {
                        break 'connection;
                    }
                }
                Output::CheckToken { check, token, asking } => {
                    session.token_checked(check, verdict(&inner, &token, &asking), Instant::now());
                }
                Output::Request { id, request } => {
                    inner.state.lock().unwrap().heard.push(format!(
                        "{} {}",
                        request.method,
                        request.path_text()
                    ));
                    let fate = (inner.plan.lock().unwrap())(&request);
                    match fate {
                        Fate::CutBefore => break 'connection,
                        Fate::Answer(status, code) => {
                            let error = SyncError { status, code, message: "as ordered".into() };
                            session.respond(&id, &error.response(), Instant::now());
                            continue;
                        }
                        _ => {}
                    }
                    let (response, said) = inner.carry_out(&request, peer);
                    match fate {
                        Fate::CutAfter => break 'connection,
                        Fate::Silence => continue,
                        _ => session.respond(&id, &response, Instant::now()),
                    }
                    for notification in said {
                        session.notify(&notification, Instant::now());
                    }
                }
                Output::Cut(_) => break 'connection,
            }
        }
        let deadline = session.deadline().unwrap_or_else(|| Instant::now() + Duration::from_secs(60));
        tokio::select! {
            message = stream.next() => match message {
                Some(Ok(Message::Binary(message))) => session.received(&message, Instant::now()),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Text(_))) => {}
                _ => break,
            },
            order = orders.recv() => match order {
                Some(Order::Notify(notification)) => session.notify(&notification, Instant::now()),
                Some(Order::Cut) | None => break,
            },
            () = tokio::time::sleep_until(deadline) => session.tick(Instant::now()),
            _ = sweep.tick() => inner.state.lock().unwrap().expire(),
        }
    }
    let mut state = inner.state.lock().unwrap();
    state.peers.remove(&peer);
    state.subscribers.retain(|(_, own)| *own != peer);
}

/// Whether a request changes a document.
pub(crate) fn is_write(request: &Request) -> bool {
    request.method == Method::Post && request.path.get(1).is_some_and(|segment| segment == "Documents")
}
