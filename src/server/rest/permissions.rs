//! Rows of permissions: what one identity may do with one document.

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::super::Permissions;
use super::super::answer::{self, Problem};
use super::super::rights::Rows;
use super::form::Form;
use super::page::Page;
use super::{Answer, Call};
use crate::backend::{BackendError, Expect, Ttl, Write};
use crate::id::{DocumentId, Identity};
use crate::percent::encode;
use crate::twilsock::sync::{Code, SyncError};

impl Call<'_> {
    /// `…/Documents/{D}/Permissions` and `…/Permissions/{identity}`. REST: rows are of documents that are there.
    pub(super) async fn permissions(self, address: &str, identity: Option<&str>) -> Answer {
        if !self.core.access.rows_count() {
            return Err(Problem::no_rows());
        }
        let document = self.find(address).await?;
        self.core.read(&document).await.map_err(|error| self.refused(error))?;
        match (identity, &self.method) {
            (None, &Method::GET) => self.list_rows(&document).await,
            (Some(identity), &Method::GET) => self.fetch_row(&document, identity).await,
            (Some(identity), &Method::POST) => self.set_row(&document, identity).await,
            (Some(identity), &Method::DELETE) => self.remove_row(&document, identity).await,
            _ => Err(Problem::wrong_method()),
        }
    }

    /// In the order of the identities' bytes.
    async fn list_rows(&self, document: &DocumentId) -> Answer {
        let page = Page::read(&self.query)?;
        let rows = self.core.rows(document).await?;
        let mut listed = rows.after(page.after.as_deref());
        let shown: Vec<(&str, Permissions)> = listed.by_ref().take(page.rows_max()).collect();
        let last = shown.last().map(|(who, _)| *who).filter(|_| listed.next().is_some());
        let url = format!("{}/Permissions", self.url_of(document));
        let shown: Vec<Value> = shown.iter().map(|(who, may)| self.shown_row(document, who, *may)).collect();
        let body = json!({ "permissions": shown, "meta": page.meta("permissions", &url, last) });
        Ok(answer::json(StatusCode::OK, &body))
    }

    async fn fetch_row(&self, document: &DocumentId, identity: &str) -> Answer {
        let rows = self.core.rows(document).await?;
        let may = rows.after(None).find(|(who, _)| *who == identity);
        let (who, may) = may.ok_or_else(|| Problem::not_found(self.path))?;
        Ok(self.row_alone(document, who, may))
    }

    /// REST: makes the row or replaces it; all three are mandatory.
    async fn set_row(&self, document: &DocumentId, identity: &str) -> Answer {
        let form = Form::of(self.body)?;
        let may = Permissions {
            read: form.flag("Read")?,
            write: form.flag("Write")?,
            manage: form.flag("Manage")?,
        };
        let identity = Identity::new(identity)
            .map_err(|error| SyncError::from(Code::BadParameter).saying(error.to_string()))?;
        self.change_rows(document, identity.as_str(), Some(may)).await?;
        Ok(self.row_alone(document, identity.as_str(), may))
    }

    async fn remove_row(&self, document: &DocumentId, identity: &str) -> Answer {
        match self.change_rows(document, identity, None).await? {
            Some(_) => Ok(answer::empty(StatusCode::NO_CONTENT)),
            None => Err(Problem::not_found(self.path)),
        }
    }

    /// Changes one row of those that are there, over and over until no other change comes first. What is answered with an
    /// error may be asked again: it is the same twice.
    async fn change_rows(
        &self,
        document: &DocumentId,
        identity: &str,
        may: Option<Permissions>,
    ) -> Result<Option<Permissions>, Problem> {
        let id = self.core.names.rows(document);
        loop {
            let mut rows = self.core.rows(document).await?;
            let before = rows.set(identity, may);
            if may.is_none() && before.is_none() {
                return Ok(None);
            }
            let expect = rows.revision().map_or(Expect::Absent, Expect::Revision);
            let data = Arc::new(rows.document(document));
            let write = Write { document: data.clone(), expect, ttl: Ttl::Keep };
            match self.core.backend.write(&id, write).await {
                Ok(written) => {
                    // Before the answer: whoever reads it knows that on this server it holds.
                    self.core.judge(document, Rows::written(data, &written)).await;
                    return Ok(before);
                }
                Err(BackendError::Conflict) => {}
                Err(error) => return Err(super::super::document::refusal(&error).into()),
            }
        }
    }

    fn row_alone(&self, document: &DocumentId, identity: &str, may: Permissions) -> Response {
        answer::json(StatusCode::OK, &self.shown_row(document, identity, may))
    }

    fn shown_row(&self, document: &DocumentId, identity: &str, may: Permissions) -> Value {
        json!({
            "account_sid": self.core.account_sid,
            "service_sid": self.core.service_sid,
            "document_sid": self.core.names.sid(document),
            "identity": identity,
            "read": may.read,
            "write": may.write,
            "manage": may.manage,
            "url": format!("{}/Permissions/{}", self.url_of(document), encode(identity)),
        })
    }

    fn url_of(&self, document: &DocumentId) -> String {
        format!("{}/Documents/{}", self.url(), self.core.names.sid(document))
    }
}
