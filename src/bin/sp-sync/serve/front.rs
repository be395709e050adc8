//! What whoever opens the server's address in a browser is told: what this is, and which doors there are.

use axum::Router;
use axum::routing::get;

/// The doors of this server beside those that are always there.
pub(super) struct Doors<'a> {
    pub(super) token_path: Option<&'a str>,
    pub(super) operations: bool,
}

impl Doors<'_> {
    /// `GET /`.
    pub(super) fn front(&self) -> Router {
        let page = self.page();
        Router::new().route("/", get(async move || page))
    }

    fn page(&self) -> String {
        let mut page =
            "sp-sync: a Sync service for the official SDKs, the crate `sp-sync` and back ends.\n\n\
             /v3/wsconnect  WebSocket, for the SDKs (with an access token)\n\
             /v1/Services   REST, for back ends (with an API key)\n"
                .to_owned();
        if let Some(path) = self.token_path {
            page += &format!("{path:<13}  POST, for an access token (with an SP token)\n");
        }
        if self.operations {
            page += "/healthz, /readyz, /metrics  for whoever runs it\n";
        }
        page + "\nHow to use and run it: docs/server.md of the crate `sp-sync`, and `sp-sync serve --help`.\n"
    }
}
