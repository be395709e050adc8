//! A browser, told what to do.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::embedded::Scratch;
use crate::server::puppet::Puppet;

/// Names of the program, where the variable `CHROMIUM` names none.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

pub(super) struct Chromium {
    puppet: Puppet,
    /// Where the browser keeps its profile.
    _scratch: Scratch,
}

impl Chromium {
    /// `None` at a desk without a browser or without Node; then a line was printed. In CI a failure.
    pub(super) fn new() -> Option<Self> {
        let module = crate::node::module("puppeteer-core/package.json")?;
        let Some(program) = program() else {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "CI needs Chromium");
            println!("skipped: there is no Chromium");
            return None;
        };
        let scratch = Scratch::new();
        let mut node = tokio::process::Command::new("node");
        node.arg("browser.cjs").current_dir(module.ancestors().nth(3).unwrap());
        node.env("CHROMIUM", program).env("TMPDIR", scratch.path());
        Some(Self { puppet: Puppet::of(&mut node), _scratch: scratch })
    }

    /// Serves the files of a folder to pages; its address.
    pub(super) async fn serve(&mut self, folder: &Path) -> String {
        let at = self.puppet.tell("serve", json!({ "folder": folder })).await;
        at.as_str().unwrap().to_owned()
    }

    pub(super) async fn open(&mut self, page: &str, url: &str) {
        self.open_as(page, url, json!({})).await;
    }

    /// With `width`, `height` and colour `scheme`.
    pub(super) async fn open_as(&mut self, page: &str, url: &str, mut how: Value) {
        how["name"] = page.into();
        how["url"] = url.into();
        self.puppet.tell("open", how).await;
    }

    pub(super) async fn reload(&mut self, page: &str) {
        self.puppet.tell("reload", json!({ "page": page })).await;
    }

    pub(super) async fn evaluate(&mut self, page: &str, code: &str) -> Value {
        self.puppet.tell("evaluate", json!({ "page": page, "code": code })).await
    }

    /// Waits until an expression is true in a page.
    pub(super) async fn until(&mut self, page: &str, code: &str) {
        self.puppet.tell("until", json!({ "page": page, "code": code })).await;
    }

    /// Waits until an element shows a text.
    pub(super) async fn shows(&mut self, page: &str, selector: &str, text: &str) {
        let (selector, text) = (json!(selector), json!(text));
        let shown = format!("document.querySelector({selector})?.textContent.includes({text})");
        self.until(page, &shown).await;
    }

    pub(super) async fn press(&mut self, page: &str, button: &str) {
        self.click(page, "button", button).await;
    }

    pub(super) async fn click(&mut self, page: &str, role: &str, label: &str) {
        self.puppet.tell("click", json!({ "page": page, "role": role, "label": label })).await;
    }

    pub(super) async fn fill(&mut self, page: &str, label: &str, text: &str) {
        let what = json!({ "page": page, "role": "textbox", "label": label, "text": text });
        self.puppet.tell("fill", what).await;
    }

    /// What people with a screen reader, a keyboard alone or weak eyes would stumble over.
    pub(super) async fn audit(&mut self, page: &str) -> Value {
        self.puppet.tell("audit", json!({ "page": page })).await
    }

    pub(super) async fn screenshot(&mut self, page: &str, path: &Path) {
        self.puppet.tell("screenshot", json!({ "page": page, "path": path })).await;
    }

    /// Ends the browser, so that its profile can be removed: one that is killed leaves some of it behind.
    pub(super) async fn close(mut self) {
        self.puppet.tell("quit", json!({})).await;
    }

    /// What a page said on its console that it should not have, and what it could not load.
    pub(super) fn complaints(&self, page: &str) -> Vec<Value> {
        self.puppet.so_far(page, "complaint")
    }
}

fn program() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("CHROMIUM") {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH")?;
    let found =
        |name: &&str| std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.exists());
    NAMES.iter().find_map(found)
}
