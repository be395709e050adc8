//! `sp-sync dev`: a server to try things with.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sp_sync::backend::Memory;
use sp_sync::server::{
    Attempts, Everything, JwtGatekeeper, Keys, Operations, Rest, Serve, Service, TokenDigest, TokenEndpoint,
    Users, router,
};
use sp_sync::{DocumentId, Identity};

use super::address::Address;
use super::front::Doors;
use super::log::Level;
use super::run::chain;
use crate::output::{Outcome, Problem, print};

/// A day: as long as a token may live.
const LIFETIME: Duration = Duration::from_secs(86_400);

/// Serve from memory with new keys, and print what to paste into a page or a program to connect.
#[derive(clap::Args)]
pub(crate) struct Dev {
    /// Where to listen. Port 0 takes any that is free.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9080", value_parser = Address::parse)]
    listen: Address,
    /// The document in the snippets.
    #[arg(long, value_name = "DOC", default_value = "Session_demo", value_parser = crate::store::document_id)]
    document: DocumentId,
    /// Who the token is for.
    #[arg(long, value_name = "NAME", default_value = "developer")]
    identity: String,
    /// Where the page of examples/browser is served: the link to it brings everything that it needs to connect.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:5173/")]
    page: String,
    /// Rows of permissions, set over REST, say what an identity may do with a document. Where there is none, everybody may do
    /// everything.
    #[arg(long)]
    acl_enabled: bool,
    /// How much it says of itself on the standard error.
    #[arg(long, value_name = "LEVEL", default_value = "info", value_enum)]
    log: Level,
    /// Write new keys into this file, which must not be there yet, and serve nothing.
    #[arg(long, value_name = "FILE")]
    keys_out: Option<PathBuf>,
}

pub(crate) async fn run(options: &Dev) -> Outcome<()> {
    let keys = Keys::generate();
    if let Some(path) = &options.keys_out {
        return write_keys(&keys, path);
    }
    let failed = |error: &dyn std::error::Error| Problem::Failed(chain(error));
    let identity = Identity::new(&options.identity).map_err(|error| Problem::Usage(error.to_string()))?;
    options.log.start();
    let listener = options.listen.bind("--listen").await?;
    let address = listener.local_addr().map_err(|error| failed(&error))?;
    let (account, service) = (keys.account_sid(), keys.service_sid());
    let gatekeeper = JwtGatekeeper::new(keys.verifier());
    let service = Service::builder(account, service, Memory::new(), gatekeeper);
    let service = service.access(Everything).acl_enabled(options.acl_enabled);
    let service = service.base_url(format!("http://{address}")).build().map_err(|error| failed(&error))?;
    let minter = keys.minter().ok_or_else(|| Problem::Failed("there is no key".into()))?;
    let token = minter.mint(identity.as_str(), LIFETIME, now_s()).map_err(|error| failed(&error))?;
    let (sp_token, users) = login()?;
    let attempts = Attempts::default();
    let endpoint = TokenEndpoint::new(minter, users).attempts(attempts.clone()).lifetime(LIFETIME);
    let endpoint = endpoint.endpoint(format!("ws://{address}/v3/wsconnect")).service(&service);
    let operations = Operations::new(&service);
    let routes = router(&service).merge(endpoint.router()).merge(operations.router());
    let routes = routes.merge(Rest::new(&service, keys.clone(), attempts).router());
    let routes = routes.merge(Doors { token_path: Some("/sync/tokens"), operations: true }.front());
    let shown = Shown {
        address,
        options,
        identity: &identity,
        keys: &keys,
        token: token.secret(),
        sp_token: &sp_token,
    };
    print(shown.page().as_bytes())?;
    let stop = async {
        crate::interrupted().await;
        operations.stop();
        service.shut_down().await;
    };
    Serve::new().run(listener, routes, stop).await;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a token carries dates")]
fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A random SP token, and the users file in which it may have any token.
fn login() -> Outcome<(String, Users)> {
    let keys = Keys::generate();
    let random = keys.api_keys().values().next().map(|key| key.secret().to_owned()).unwrap_or_default();
    let digest = TokenDigest::of(&random).to_hex();
    let text = format!(
        "format = 1\nunlisted = \"backend\"\n[users.developer]\ntoken_sha256 = \"{digest}\"\nidentity = \"developer\"\nrole = \"backend\"\n"
    );
    let users = Users::from_toml_str(&text).map_err(|error| Problem::Failed(chain(&error)))?;
    Ok((random, users))
}

/// For the owner's eyes only from the beginning.
fn write_keys(keys: &Keys, path: &std::path::Path) -> Outcome<()> {
    use std::io::Write as _;
    let mut new = std::fs::OpenOptions::new();
    new.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut new, 0o600);
    let written = new.open(path).and_then(|mut file| {
        file.write_all(keys.to_toml().as_bytes())?;
        file.sync_all()
    });
    written.map_err(|error| Problem::Failed(format!("{}: cannot be made: {error}", path.display())))?;
    print(format!("{}\n", path.display()).as_bytes()).map(drop)
}

struct Shown<'a> {
    address: SocketAddr,
    options: &'a Dev,
    identity: &'a Identity,
    keys: &'a Keys,
    token: &'a str,
    sp_token: &'a str,
}

impl Shown<'_> {
    /// Everything stands behind the `#`, which browsers keep to themselves.
    fn link(&self) -> String {
        let (page, document) = (&self.options.page, percent(self.options.document.as_str()));
        format!("{page}#server=http://{}&token={}&document={document}", self.address, percent(self.sp_token))
    }

    fn page(&self) -> String {
        let Self { address, token, sp_token, .. } = self;
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let (document, identity) = (quoted(self.options.document.as_str()), quoted(self.identity.as_str()));
        let (service, key) = (self.keys.service_sid(), self.keys.api_keys().values().next());
        let (key, secret) = key.map_or(("", ""), |key| (key.sid(), key.secret()));
        let link = self.link();
        format!(
            r#"A Sync service on http://{address}, in memory, until Ctrl-C. For trying things: keys and tokens are new each time.

JavaScript (npm install twilio-sync):

  const {{ Client }} = require('twilio-sync');
  const client = new Client('{token}',
    {{ twilsock: {{ uri: 'ws://{address}/v3/wsconnect' }} }});
  client.document({document}).then(async (document) => {{
    document.on('updated', (event) => console.log(event.data));
    await document.update({{ hello: 'from JavaScript' }});
  }});

Rust (sp-sync with the feature `remote`):

  let client = sp_sync::SyncClient::builder()
      .base_uri("http://{address}")
      .token(sp_sync::token::Token::new("{sp_token}"))
      .document_id(sp_sync::DocumentId::new({document})?)
      .identity(sp_sync::Identity::new({identity})?)
      .connect().await?;
  client.set_sync(serde_json::json!({{ "hello": "from Rust" }})).await?;

In a browser (in examples/browser: npm ci, then npm start):

  {link}

REST:

  curl -u {key}:{secret} http://{address}/v1/Services/{service}/Documents

listening on http://{address}
"#
        )
    }
}

/// For a value behind the `#` of an address.
fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
