//! The conformance suite over one server and over three.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sp_sync::backend::{Backend, Nats, NatsOptions};
use sp_sync::conformance::{Subject, check};

use super::bucket;
use super::voids::with_history;
use crate::support::nats::{Cluster, Server};

/// The same bucket whenever it is opened.
pub(super) struct Bucket(pub(super) NatsOptions);

#[async_trait]
impl Subject for Bucket {
    async fn open(&self) -> Arc<dyn Backend> {
        Arc::new(self.0.clone().open().await.unwrap())
    }

    async fn reopen(&self, closed: Arc<dyn Backend>) -> Option<Arc<dyn Backend>> {
        drop(closed);
        Some(self.open().await)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_server_keeps_the_promises() {
    let server = Server::start().await;
    let report = check(Bucket(bucket(&server, "promises"))).await;
    println!("{report}");
    report.assert_ok();
}

#[tokio::test]
async fn one_server_keeps_the_promises_on_one_thread() {
    let server = Server::start().await;
    check(Bucket(bucket(&server, "promises").memory_storage().document_bytes_max(1_000))).await.assert_ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_servers_keep_the_promises() {
    let cluster = Cluster::start(3).await;
    let options = cluster.urls().into_iter().fold(Nats::options(), NatsOptions::server);
    let options = options.bucket("promises").replicas(3).connect_within(Duration::from_secs(60));
    let report = check(Bucket(options)).await;
    println!("{report}");
    report.assert_ok();
}

/// A history, without several replicas: what stands is found as over three servers, and with less around it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_with_a_history_keeps_the_promises() {
    let (_server, _client, options) = with_history("promises").await;
    let report = check(Bucket(options)).await;
    println!("{report}");
    report.assert_ok();
}
