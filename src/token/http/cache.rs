//! The newest token in a file, for the next start of the program. What goes wrong here costs a request, nothing more.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::answer::Answer;
use super::builder::Place;
use super::fetch::local;

/// A token is never used for another identity or document than it was given for.
#[derive(Serialize, Deserialize)]
struct Kept {
    service: String,
    identity: String,
    document: String,
    token: String,
    endpoint: Option<String>,
    ends_ms: i64,
    lasts_ms: u64,
}

impl Place {
    /// The token in the file, if it is for the same purpose and has enough of its life left.
    pub(super) async fn cached(&self) -> Option<Answer> {
        let path = self.cache_file.clone()?;
        let text = spawn_blocking(move || read(&path)).await.ok()?.ok()?;
        let kept: Kept = serde_json::from_str(&text).ok()?;
        let same = kept.service == self.service()
            && kept.identity == self.identity.as_str()
            && kept.document == self.document.as_str();
        let left = u64::try_from(kept.ends_ms.saturating_sub(local().unix_ms())).ok().filter(|_| same)?;
        // Less than it says if the clock was set back since.
        let left = Duration::from_millis(left.min(kept.lasts_ms));
        let ends = Some(Instant::now().checked_add(left)?);
        let lasts = Some(Duration::from_millis(kept.lasts_ms));
        let answer = Answer { secret: kept.token, endpoint: kept.endpoint, ends, lasts };
        answer.is_fresh().then_some(answer)
    }

    /// Keeps a token whose end is known.
    pub(super) async fn cache(&self, answer: &Answer) {
        let (Some(path), Some(lasts)) = (self.cache_file.clone(), answer.lasts) else { return };
        let lasts_ms = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX);
        let kept = Kept {
            service: self.service(),
            identity: self.identity.to_string(),
            document: self.document.to_string(),
            token: answer.secret.clone(),
            endpoint: answer.endpoint.clone(),
            ends_ms: local().after(lasts).unix_ms(),
            lasts_ms,
        };
        let Ok(text) = serde_json::to_string(&kept) else { return };
        let _ = spawn_blocking(move || write(&path, &text)).await;
    }

    pub(super) async fn cache_forget(&self) {
        if let Some(path) = self.cache_file.clone() {
            let _ = spawn_blocking(move || fs::remove_file(path)).await;
        }
    }

    fn service(&self) -> String {
        format!("{}://{}{}", if self.address.tls { "https" } else { "http" }, self.host, self.path)
    }
}

fn read(path: &Path) -> io::Result<String> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
            return Err(io::Error::other("others may read it"));
        }
    }
    fs::read_to_string(path)
}

/// Whole or not at all, and never readable for others.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut beside: PathBuf = path.to_owned();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    beside.set_file_name(format!(".{name}.{}", uuid::Uuid::new_v4().simple()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let written = options.open(&beside).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        fs::rename(&beside, path)
    });
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}
