//! Documents.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};

use super::super::answer::{self, Problem};
use super::super::document::{Done, Edit};
use super::super::names::Names;
use super::form::Form;
use super::page::{Page, bad_token};
use super::{Answer, Call};
use crate::backend::Stored;
use crate::id::DocumentId;
use crate::twilsock::sync::text::with_member;
use crate::twilsock::sync::{Address, Code, Data, Revision, SyncError, Timestamp};

/// Who made a document, as far as is known: nobody keeps it.
const CREATED_BY: &str = "system";

impl Call<'_> {
    pub(super) async fn create_document(self) -> Answer {
        let form = Form::of(self.body)?;
        let document = match form.get("UniqueName") {
            Some(name) => Names::named(name)?,
            None => Names::unnamed()?,
        };
        let data = form.data()?.unwrap_or_default().into();
        let stored = self.write(&document, Edit::Create { data, ttl: form.ttl()? }).await?;
        Ok(self.shown_alone(StatusCode::CREATED, &document, &stored))
    }

    pub(super) async fn fetch_document(self, address: &str) -> Answer {
        let document = self.find(address).await?;
        let stored = self.core.read(&document).await.map_err(|error| self.refused(error))?;
        Ok(self.shown_alone(StatusCode::OK, &document, &stored))
    }

    pub(super) async fn update_document(self, address: &str) -> Answer {
        let form = Form::of(self.body)?;
        let (data, ttl, if_match) = (form.data()?, form.ttl()?, self.if_match()?);
        if data.is_none() && ttl.is_none() {
            return Err(Code::NothingToUpdate.into());
        }
        let document = self.find(address).await?;
        let data = data.map(Data::from);
        let stored = self.write(&document, Edit::Update { data, ttl, if_match }).await?;
        Ok(self.shown_alone(StatusCode::OK, &document, &stored))
    }

    /// REST: what is gone already is not found.
    pub(super) async fn remove_document(self, address: &str) -> Answer {
        let document = self.find(address).await?;
        let removed = self.core.change(&document, Edit::Remove { if_match: None }).await;
        removed.map_err(|error| self.refused(error))?;
        Ok(answer::empty(StatusCode::NO_CONTENT))
    }

    /// In the order of the store, which is that of the names' bytes.
    pub(super) async fn list_documents(self) -> Answer {
        let page = Page::read(&self.query)?;
        let Some(directory) = self.core.backend.directory() else { return Err(Problem::cannot_list()) };
        let rows = page.rows_max();
        let after = page.after.clone().map(DocumentId::new).transpose().map_err(|_| bad_token())?;
        let listed = directory.list(after.as_ref(), rows + 1).await;
        let mut names = listed.map_err(|_| Problem::unavailable())?;
        let more = names.len() > rows;
        names.truncate(rows);
        let mut documents = Vec::with_capacity(names.len());
        for name in names.iter().filter(|name| !Names::is_rows(name.as_str())) {
            // One that is gone since is left out: a list is no snapshot.
            let stored = self.core.backend.read(name).await.map_err(|_| Problem::unavailable())?;
            documents.extend(stored.map(|stored| self.shown(name, &stored)));
        }
        let last = names.last().map(DocumentId::as_str).filter(|_| more);
        let meta = page.meta("documents", &format!("{}/Documents", self.url()), last);
        // The texts are JSON already: they are not read again.
        let body = format!(r#"{{"documents":[{}],"meta":{meta}}}"#, documents.join(","));
        Ok(answer::json_text(StatusCode::OK, body))
    }

    pub(super) async fn find(&self, address: &str) -> Result<DocumentId, Problem> {
        self.core.find(&Address::of(address)).await.map_err(|error| match error.code {
            // Such a name nobody can have.
            code if code == Code::BadUniqueName.number() => Problem::not_found(self.path),
            _ => self.refused(error),
        })
    }

    async fn write(&self, document: &DocumentId, edit: Edit) -> Result<Stored, Problem> {
        if let Err(error) = self.core.check(document, &edit) {
            return Err(self.refused(error));
        }
        match self.core.change(document, edit).await {
            Ok(Done::Written(stored)) => Ok(stored),
            Ok(Done::Removed) => Err(Problem::internal()),
            Err(error) => Err(self.refused(error)),
        }
    }

    /// REST: whatever is not found has one number, and the message names the path.
    pub(super) fn refused(&self, error: SyncError) -> Problem {
        if error.status == 404 { Problem::not_found(self.path) } else { error.into() }
    }

    /// REST: quoted, bare and weak revisions are all accepted; `*` is any.
    fn if_match(&self) -> Result<Option<Revision>, SyncError> {
        let Some(header) = self.headers.get(header::IF_MATCH) else { return Ok(None) };
        let text = header.to_str().map_err(|_| SyncError::from(Code::BadIfMatch))?.trim();
        let bare = text.strip_prefix("W/").unwrap_or(text).trim_matches('"');
        let digits = bare.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        match bare {
            "*" => Ok(None),
            _ if bare.is_empty() || bare.len() > 16 || !digits => Err(Code::BadIfMatch.into()),
            _ => Ok(Some(Revision::new(bare))),
        }
    }

    fn shown_alone(&self, status: StatusCode, document: &DocumentId, stored: &Stored) -> Response {
        let mut response = answer::json_text(status, self.shown(document, stored));
        let revision = self.core.resource(document, stored).revision;
        if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", revision.as_str())) {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }

    /// A document as JSON text.
    fn shown(&self, document: &DocumentId, stored: &Stored) -> String {
        let resource = self.core.resource(document, stored);
        let url = format!("{}/Documents/{}", self.url(), resource.sid);
        let shown = json!({
            "sid": resource.sid,
            "unique_name": resource.unique_name,
            "account_sid": resource.account_sid,
            "service_sid": resource.service_sid,
            "url": url,
            "links": { "permissions": format!("{url}/Permissions") },
            "revision": resource.revision,
            "date_expires": date(resource.date_expires),
            "date_created": date(resource.date_created),
            "date_updated": date(resource.date_updated),
            "created_by": resource.created_by.as_deref().unwrap_or(CREATED_BY),
        });
        with_member(&shown, "data", &stored.document.to_json())
    }
}

/// REST: whole seconds.
fn date(time: Option<Timestamp>) -> Value {
    let text = time.map(|time| time.to_string());
    text.map_or(Value::Null, |text| match text.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z").into(),
        None => text.into(),
    })
}
