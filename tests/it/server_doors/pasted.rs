//! The Rust that `sp-sync dev` prints, compiled and run as it stands: only its literals are arguments here.

/// What stands between the braces, for comparison with what is printed.
pub(super) fn body() -> String {
    let (_, after) =
        include_str!("pasted.rs").rsplit_once("-> sp_sync::Result<()> {\n").expect("the function");
    let (body, _) = after.split_once("    Ok(())").expect("its end");
    body.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[rustfmt::skip]
pub(super) async fn run(base_uri: &str, sp_token: &str, document: &str, identity: &str) -> sp_sync::Result<()> {
    let client = sp_sync::SyncClient::builder()
        .base_uri(base_uri)
        .token(sp_sync::token::Token::new(sp_token))
        .document_id(sp_sync::DocumentId::new(document)?)
        .identity(sp_sync::Identity::new(identity)?)
        .connect().await?;
    client.set_sync(serde_json::json!({ "hello": "from Rust" })).await?;
    Ok(())
}
