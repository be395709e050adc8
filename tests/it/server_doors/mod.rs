//! The doors of the server: tokens, REST, operations, TLS. What comes through them into documents is elsewhere.

#[cfg(feature = "cli")]
mod campaign;
#[cfg(feature = "cli")]
pub(crate) mod command_line;
mod exposition;
pub(crate) mod http;
#[cfg(all(feature = "cli", feature = "remote"))]
mod killed;
#[cfg(feature = "cli")]
mod logging;
mod metrics;
mod operations;
#[cfg(feature = "cli")]
mod options;
#[cfg(all(feature = "cli", feature = "remote"))]
mod pasted;
mod reaching;
mod rest;
mod serving;
#[cfg(feature = "cli")]
mod stores;
mod tokens;
mod users;

use std::net::SocketAddr;
use std::time::Duration;

use sp_sync::backend::{Backend, Memory};
use sp_sync::server::{
    Attempts, JwtGatekeeper, Keys, Operations, Rest, Serve, Service, Timed, TokenEndpoint, Users, router,
};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use http::{Client, Reply};

pub(crate) const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
pub(crate) const SERVICE: &str = "IS00112233445566778899aabbccddeeff";
pub(crate) const KEY: &str = "SKfedcba9876543210fedcba9876543210";
pub(crate) const SECRET: &str = "dummy-api-key-secret-00000000000";

pub(crate) const ANA: &str = "ES0123456789abcdef0123456789abcdef";
pub(crate) const OTHER: &str = "ES99999999999999999999999999999999";
pub(crate) const PETR: &str = "AU0123456789abcdef0123456789abcdef";

pub(crate) fn keys() -> Keys {
    Keys::from_toml_str(&keys_file()).unwrap()
}

pub(crate) fn keys_file() -> String {
    format!(
        "format = 1\naccount = \"{ACCOUNT}\"\nservice = \"{SERVICE}\"\nname = \"exams\"\n\
         [keys.{KEY}]\nsecret = \"{SECRET}\"\n"
    )
}

/// Ana is a student, Petr a proctor of all sessions and one room; their tokens are `token of` and their name.
pub(crate) fn users_file() -> String {
    let digest = |name: &str| sp_sync::server::TokenDigest::of(&format!("token of {name}")).to_hex();
    format!(
        "format = 1\n\
         [users.ana]\ntoken_sha256 = \"{}\"\nidentity = \"{ANA}\"\nrole = \"student\"\n\
         [users.petr]\ntoken_sha256 = \"{}\"\nidentity = \"{PETR}\"\nrole = \"proctor\"\n\
         documents = [\"Session_ES0*\", \"Proctor_Room_1\"]\n\
         [users.bert]\ntoken_sha256 = \"{}\"\nidentity = \"back end\"\nrole = \"backend\"\n\
         [users.eve]\ntoken_sha256 = \"{}\"\nidentity = \"eve\"\nrole = \"auditor\"\n\
         [roles.auditor]\ndocuments = [\"Session_*\"]\nrights = [\"read\"]\n",
        digest("ana"),
        digest("petr"),
        digest("bert"),
        digest("eve"),
    )
}

/// A file of the certificates that tests use.
pub(crate) fn tls_file(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/server_doors/tls").join(name)
}

pub(crate) fn users() -> Users {
    Users::from_toml_str(&users_file()).unwrap()
}

/// A server in this process, with every door.
struct Site {
    address: SocketAddr,
    service: Service,
    operations: Operations,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

impl Site {
    async fn new() -> Self {
        Self::with(Memory::new(), Attempts::default()).await
    }

    async fn with(backend: impl Backend, attempts: Attempts) -> Self {
        Self::of(backend, attempts, false).await
    }

    /// Perhaps one where rows of permissions count.
    async fn of(backend: impl Backend, attempts: Attempts, acl_enabled: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (keys, users, backend) = (keys(), users(), Timed::new(backend));
        let writes = backend.writes();
        let service = Service::builder(ACCOUNT, SERVICE, backend, JwtGatekeeper::new(keys.verifier()));
        let service = service.base_url(format!("http://{address}")).access(users.clone());
        let service = service.acl_enabled(acl_enabled).build().unwrap();
        let operations = Operations::new(&service).writes(writes);
        let endpoint = TokenEndpoint::new(keys.minter().unwrap(), users).attempts(attempts.clone());
        let endpoint = endpoint.lifetime(Duration::from_secs(600)).endpoint("ws://here").service(&service);
        let routes = router(&service).merge(endpoint.router()).merge(operations.router());
        let routes = routes.merge(Rest::new(&service, keys, attempts).router());
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = Serve::new().run(listener, routes, async move { drop(stopped.await) });
        Self { address, service, operations, stop: Some(stop), serving: tokio::spawn(serving) }
    }

    async fn client(&self) -> Client {
        Client::to(self.address).await
    }

    /// Asks once, with a key.
    async fn rest(&self, method: &str, path: &str, form: &str) -> Reply {
        let login = format!("Basic {}", http::base64(&format!("{KEY}:{SECRET}")));
        self.client().await.ask(method, path, &[("authorization", &login)], form).await
    }

    async fn stop(mut self) {
        drop(self.stop.take());
        (&mut self.serving).await.unwrap();
    }
}
