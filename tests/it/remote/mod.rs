//! Documents of a remote service.

pub(crate) mod peer;
pub(crate) mod proxy;

use sp_sync::backend::Remote;
use sp_sync::token::Token;

pub(crate) fn remote(uri: &str) -> Remote {
    Remote::builder().uri(uri).token(Token::new("good")).unpaced().build().unwrap()
}
