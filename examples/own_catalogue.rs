//! Actions of your own, read from TOML at run time. Nothing in this crate knows a name of the built-in ones.
//!
//! `cargo run --features toml --example own_catalogue`
//!
//! With the feature `codegen` a build script writes types from the same file, checked by the compiler:
//!
//! ```ignore
//! // build.rs, with `sp-sync = { version = "…", features = ["codegen"] }` among the build-dependencies
//! use sp_sync::catalogue::{Catalogue, codegen::{Language, Options, generate}};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     println!("cargo::rerun-if-changed=printing.toml");
//!     let catalogue = Catalogue::from_toml_str(&std::fs::read_to_string("printing.toml")?)?;
//!     let code = generate(&catalogue, Language::Rust, &Options::default());
//!     std::fs::write(format!("{}/actions.rs", std::env::var("OUT_DIR")?), code)?;
//!     Ok(())
//! }
//!
//! // main.rs
//! include!(concat!(env!("OUT_DIR"), "/actions.rs"));
//! client.add_action(printer::Print { pages: 3, colour: None }).await?;
//! ```

mod store;

use serde_json::json;
use sp_sync::{Catalogue, DocumentId, Identity, SyncClient};
use tokio_stream::StreamExt as _;

const CATALOGUE: &str = r#"
format  = 1
name    = "printing"
version = "1.0"

[executors.printer]
doc = "Prints and says how many pages came out."
[executors.desk]
doc = "Orders prints."

[actions.printer.print]
doc = "Print pages."
fields.pages  = { type = "int", required = true, min = 1, max = 20, doc = "How many." }
fields.colour = { type = "bool", default = false, doc = "In colour." }
response.printed = { type = "int", required = true, doc = "Pages that came out." }
"#;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A wrong catalogue is told with line and column of every mistake.
    let catalogue = Catalogue::from_toml_str(CATALOGUE)?;
    let store = store::open().await?;
    let open = async |who: &str| {
        SyncClient::builder()
            .backend(store.clone())
            .document_id(DocumentId::new("Office")?)
            .identity(Identity::new(who)?)
            .catalogue(catalogue.clone())
            .connect()
            .await
    };
    let (desk, printer) = (open("desk").await?, open("printer").await?);

    let mut orders = printer.executor("printer").subscribe();
    let printing = tokio::spawn(async move {
        while let Some(order) = orders.next().await {
            println!("the printer is given {}", order.action().to_value());
            let pages = order.action().get("pages").cloned();
            order.respond(json!({ "printed": pages })).await?;
        }
        Ok::<_, sp_sync::Error>(())
    });

    match desk.add_action_named("print", json!({ "pages": 400 })).await {
        Ok(_) => return Err("400 pages were accepted".into()),
        Err(error) => println!("the desk is refused: {error}"),
    }
    let answer = desk.request_named("print", json!({ "pages": 3 })).respond_to("desk").await?;
    println!("the desk is told: printed {} pages", answer.get("printed").unwrap_or(&json!(null)));
    printing.abort();
    Ok(())
}
