//! One Sync service: its names, its store, its rules.

use std::fmt;
use std::sync::Arc;

use super::document::Documents;
use super::names::Names;
use super::pace::Pace;
use super::queues::Queues;
use super::rights::Rights;
use super::running::Running;
use super::seeking::Seeking;
use super::{Access, Counters, Everything, Gatekeeper, Limits, Nobody};
use crate::backend::Backend;
use crate::catalogue::Catalogue;
use crate::error::{Error, Result};
use crate::id::Executor;
use crate::limits::SERVER_EXECUTORS_MAX;
use crate::twilsock::sync::is_sid;

/// A Sync service. Cheap to clone; clones are the same service.
#[derive(Clone)]
pub struct Service {
    pub(super) core: Arc<Core>,
}

/// What all of a service's parts share.
pub(crate) struct Core {
    pub(super) account_sid: String,
    pub(super) service_sid: String,
    pub(super) base_url: String,
    pub(super) backend: Arc<dyn Backend>,
    pub(super) gatekeeper: Arc<dyn Gatekeeper>,
    pub(super) access: Rights,
    pub(super) limits: Limits,
    pub(super) counters: Arc<Counters>,
    pub(super) names: Names,
    pub(super) seeking: Seeking,
    pub(super) documents: Documents,
    /// How often documents may be written, and read.
    pub(super) writes: Pace,
    pub(super) reads: Pace,
    pub(super) running: Running,
    pub(super) queues: Arc<Queues>,
}

/// Puts a [`Service`] together; see [`Service::builder`].
pub struct Builder {
    account_sid: String,
    service_sid: String,
    base_url: String,
    backend: Arc<dyn Backend>,
    gatekeeper: Arc<dyn Gatekeeper>,
    access: Option<Arc<dyn Access>>,
    acl_enabled: bool,
    executors: Vec<Executor>,
    limits: Limits,
}

impl Service {
    /// A service over a store, with whoever decides on tokens. Account and service have SIDs (`AC…` and `IS…`, 32
    /// lower-case hexadecimal digits each).
    pub fn builder(
        account_sid: impl Into<String>,
        service_sid: impl Into<String>,
        backend: impl Backend,
        gatekeeper: impl Gatekeeper,
    ) -> Builder {
        Builder {
            account_sid: account_sid.into(),
            service_sid: service_sid.into(),
            base_url: "http://localhost".into(),
            backend: Arc::new(backend),
            gatekeeper: Arc::new(gatekeeper),
            access: None,
            acl_enabled: false,
            executors: Catalogue::proctoring()
                .executors()
                .map(|executor| executor.name.as_str().into())
                .collect(),
            limits: Limits::default(),
        }
    }

    /// SID of the account.
    #[must_use]
    pub fn account_sid(&self) -> &str {
        &self.core.account_sid
    }

    /// SID of the service.
    #[must_use]
    pub fn service_sid(&self) -> &str {
        &self.core.service_sid
    }

    /// Scheme, host and port under which clients see the service, without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.core.base_url
    }

    /// Where its documents live.
    #[must_use]
    pub fn backend(&self) -> &Arc<dyn Backend> {
        &self.core.backend
    }

    /// Who may do what in it where no row says otherwise.
    #[must_use]
    pub fn access(&self) -> &Arc<dyn Access> {
        &self.core.access.rules
    }

    /// What it takes from its clients.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.core.limits
    }

    /// What it counts of itself.
    #[must_use]
    pub fn counters(&self) -> &Arc<Counters> {
        &self.core.counters
    }

    /// Whether it takes new connections: not after [`Service::shut_down`].
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.core.running.is_closing()
    }

    /// Sends every client elsewhere: requests that were begun are answered, new ones are refused, then each connection
    /// ends with a word (308, and when to come back). What was acknowledged is in the store by then. Answers whether all
    /// were gone in time; those that were not are gone when the process ends.
    pub async fn shut_down(&self) -> bool {
        let session = &self.core.limits.session;
        let in_time = self.core.running.close(session.drain_within + session.close_linger * 2).await;
        self.core.documents.close();
        in_time
    }
}

impl Builder {
    /// Scheme, host and port under which clients see the service: the addresses of documents begin with it. Without:
    /// `http://localhost`, which will do for the SDKs, because they send every request through their one connection.
    #[must_use]
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = url.into();
        self
    }

    /// Who may do what. Without: [`Everything`], or [`Nobody`] where rows count.
    #[must_use]
    pub fn access(mut self, access: impl Access) -> Self {
        self.access = Some(Arc::new(access));
        self
    }

    /// Whether rows of permissions count: what an identity may do with one document, set over REST
    /// (`…/Documents/{sid}/Permissions`) while the server runs. A row says all, more or less than [`Access`], which decides
    /// where there is none; and it decides alone who may make a document. Not by default: then there are no rows.
    ///
    /// Rows are kept in the backend, those of one document in one document beside it, whose limit of size bounds them: some
    /// 300 identities in 16 KiB. They go when their document does; within ten minutes
    /// ([`Limits::rows_swept_every`]) when it expires. Each request costs one more read of the store. What
    /// begins after a row was set is judged by it, on every server; a subscription that is running ends at once on this
    /// server, and as soon as the store tells of it on others.
    #[must_use]
    pub fn acl_enabled(mut self, enabled: bool) -> Self {
        self.acl_enabled = enabled;
        self
    }

    /// Executors whose queues the metrics show each by its name; all others are shown together, so that documents cannot
    /// make metrics grow. Without: those of the built-in catalogue. Of more than
    /// [`SERVER_EXECUTORS_MAX`](crate::limits::SERVER_EXECUTORS_MAX) the first count.
    #[must_use]
    pub fn executors(mut self, executors: impl IntoIterator<Item = Executor>) -> Self {
        self.executors.clear();
        for executor in executors {
            if self.executors.len() < SERVER_EXECUTORS_MAX && !self.executors.contains(&executor) {
                self.executors.push(executor);
            }
        }
        self
    }

    /// What it takes from its clients.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The service.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a SID or a base URL that clients could not use.
    pub fn build(self) -> Result<Service> {
        let invalid = |what, why: &str| Err(Error::Invalid { what, why: why.into() });
        let expected = "expected two capitals and 32 lower-case hexadecimal digits";
        if !is_sid(&self.account_sid) {
            return invalid("account sid", expected);
        }
        if !is_sid(&self.service_sid) {
            return invalid("service sid", expected);
        }
        let base_url = self.base_url.trim_end_matches('/').to_owned();
        let host = base_url.strip_prefix("http://").or_else(|| base_url.strip_prefix("https://"));
        if host.is_none_or(|host| host.is_empty() || host.contains(['/', '?', '#', ' '])) {
            return invalid("base url", "expected `http://` or `https://`, a host, and perhaps a port");
        }
        let access = self.access.unwrap_or_else(|| match self.acl_enabled {
            true => Arc::new(Nobody),
            false => Arc::new(Everything),
        });
        Ok(Service {
            core: Arc::new(Core {
                names: Names::new(&self.service_sid),
                seeking: Seeking::default(),
                documents: Documents::default(),
                writes: Pace::new(self.limits.writes_per_s),
                reads: Pace::new(self.limits.reads_per_s),
                running: Running::default(),
                queues: Queues::new(self.executors),
                account_sid: self.account_sid,
                service_sid: self.service_sid,
                base_url,
                backend: self.backend,
                gatekeeper: self.gatekeeper,
                access: Rights::new(access, self.acl_enabled),
                limits: self.limits,
                counters: Arc::default(),
            }),
        })
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Core { service_sid, base_url, backend, .. } = &*self.core;
        f.debug_struct("Service")
            .field("service_sid", service_sid)
            .field("base_url", base_url)
            .field("backend", &backend.facts().name)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("service_sid", &self.service_sid).finish_non_exhaustive()
    }
}
