//! The one service.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::super::answer::{self, Problem};
use super::page::Page;
use super::{Answer, Call};

impl Call<'_> {
    /// `/v1/Services`: there is one, and further ones cannot be made.
    pub(super) fn services(&self) -> Answer {
        if self.method != Method::GET {
            return Err(Problem::wrong_method());
        }
        let page = Page::read(&self.query)?;
        let first = page.after.is_none();
        let services = if first { vec![self.shown_service()] } else { Vec::new() };
        let url = format!("{}/v1/Services", self.core.base_url);
        let body = json!({ "services": services, "meta": page.meta("services", &url, None) });
        Ok(answer::json(StatusCode::OK, &body))
    }

    /// `/v1/Services/{S}`. Its settings stand in the server's own configuration.
    pub(super) fn service(&self) -> Answer {
        if self.method != Method::GET {
            return Err(Problem::wrong_method());
        }
        Ok(answer::json(StatusCode::OK, &self.shown_service()))
    }

    fn shown_service(&self) -> Value {
        let url = self.url();
        json!({
            "sid": self.core.service_sid,
            "unique_name": self.keys.name(),
            "account_sid": self.core.account_sid,
            "friendly_name": self.keys.name(),
            "date_created": null,
            "date_updated": null,
            "url": url,
            "webhook_url": null,
            "webhooks_from_rest_enabled": false,
            "reachability_webhooks_enabled": false,
            "acl_enabled": self.core.access.rows_count(),
            "reachability_debouncing_enabled": false,
            "reachability_debouncing_window": 5000,
            "links": {
                "documents": format!("{url}/Documents"),
                "lists": format!("{url}/Lists"),
                "maps": format!("{url}/Maps"),
                "streams": format!("{url}/Streams"),
            },
        })
    }
}
