//! Two servers before one store, and a balancer before the servers.

use std::net::SocketAddr;

use serde_json::{Value, json};
use sp_sync::backend::Remote;
use sp_sync::token::Token;
use sp_sync::{DocumentId, Identity, SyncClient};

use super::balancer::Balancer;
use crate::server_doors::command_line::{Desk, Running, SERVE};
use crate::server_doors::http::{Client, Reply, base64};
use crate::server_doors::{KEY, SECRET};

pub(super) struct Pair {
    desk: Desk,
    store: String,
    pub(super) at: [SocketAddr; 2],
    pub(super) front: Balancer,
    running: [Option<Running>; 2],
}

impl Pair {
    pub(super) async fn before(store: &str) -> Self {
        // Free now, and later: nobody else here asks for a port by its number.
        let listeners = [(); 2].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
        let at = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
        drop(listeners);
        let (desk, store, front) = (Desk::new(), store.to_owned(), Balancer::before(at).await);
        let mut pair = Self { desk, store, at, front, running: [None, None] };
        for server in 0..2 {
            pair.start(server);
        }
        pair
    }

    pub(super) fn start(&mut self, server: usize) {
        let listen = SERVE.replace("127.0.0.1:0", &self.at[server].to_string());
        let (front, store) = (self.front.at, &self.store);
        let line = format!("{listen} --acl-enabled --public-url http://{front} --store {store}");
        self.running[server] = Some(self.desk.start(&line));
    }

    /// `kill -9`.
    pub(super) fn kill(&mut self, server: usize) {
        self.running[server] = None;
    }

    pub(super) async fn ask(&self, server: usize, path: &str) -> u16 {
        Client::to(self.at[server]).await.ask("GET", path, &[], "").await.status
    }

    /// REST, at one of them.
    pub(super) async fn rest(&self, server: usize, method: &str, path: &str, form: &str) -> Reply {
        let login = format!("Basic {}", base64(&format!("{KEY}:{SECRET}")));
        let path = format!("/v1/Services/default/Documents{path}");
        Client::to(self.at[server]).await.ask(method, &path, &[("authorization", &login)], form).await
    }

    /// Makes a document at one of them; its SID.
    pub(super) async fn make(&self, server: usize, name: &str) -> String {
        let made = self.rest(server, "POST", "", &format!("UniqueName={name}&Data=%7B%7D")).await;
        assert_eq!(made.status, 201, "{}", made.body);
        made.json()["sid"].as_str().unwrap().to_owned()
    }

    /// An access token from one of them: every other takes it as well.
    pub(super) async fn token(&self, server: usize, identity: &str) -> String {
        let bearer = [("authorization", "Bearer token of bert")];
        let asked = json!({ "identity": identity }).to_string();
        let given = Client::to(self.at[server]).await.ask("POST", "/sync/tokens", &bearer, &asked).await;
        given.json()["token"].as_str().unwrap_or_else(|| panic!("{}", given.body)).to_owned()
    }

    /// A client of one of them, whatever becomes of it.
    pub(super) async fn client(&self, server: usize, document: &str) -> SyncClient {
        let uri = format!("ws://{}/v3/wsconnect", self.at[server]);
        // The token is of the other one.
        let token = Token::new(self.token(1 - server, "back end").await);
        let remote = Remote::builder().uri(uri).unpaced().token(token).build().unwrap();
        let builder = SyncClient::builder().backend(remote).document_id(DocumentId::new(document).unwrap());
        builder.identity(Identity::new("back end").unwrap()).connect().await.unwrap()
    }

    /// A client of whichever is there.
    pub(super) async fn client_of_either(&self, document: &str) -> SyncClient {
        let builder = SyncClient::builder().base_uri(format!("http://{}", self.front.at));
        let builder = builder.token(Token::new("token of bert"));
        let builder = builder.document_id(DocumentId::new(document).unwrap());
        builder.identity(Identity::new("back end").unwrap()).connect().await.unwrap()
    }

    pub(super) async fn data(&self, server: usize, document: &str) -> Value {
        self.rest(server, "GET", &format!("/{document}"), "").await.json()["data"].clone()
    }
}
