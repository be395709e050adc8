//! Every backend keeps the promises, and the suite notices backends that do not.

mod broken;
#[cfg(all(feature = "remote", feature = "server"))]
mod careful;

use std::time::Duration;

use sp_sync::backend::Memory;
use sp_sync::conformance::{Faults, Faulty, Verdict, check};

/// Faults that a patient client does not notice.
pub(crate) const HARMLESS: Faults = Faults {
    delays: 0.2,
    delay_max: Duration::from_millis(5),
    rate_limited: 0.05,
    unavailable: 0.05,
    stale_watches: 0.3,
    watch_breaks: 0.05,
    lost_answers: 0.0,
    lost_requests: 0.0,
    late_writes: 0.0,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_keeps_its_promises() {
    let report = check(|| async { Memory::new() }).await;
    println!("{report}");
    report.assert_ok();
    assert!(report.checked.len() >= 40, "the suite has shrunk");
}

#[tokio::test]
async fn memory_keeps_its_promises_on_one_thread() {
    check(|| async { Memory::with_document_bytes_max(1_000) }).await.assert_ok();
}

#[tokio::test]
async fn a_faulty_memory_keeps_its_promises() {
    let faulty = Faulty::new(Memory::new(), 7, HARMLESS);
    let subject = faulty.clone();
    let report = check(move || std::future::ready(subject.clone())).await;
    println!("{report}\n{:?}", faulty.injected());
    report.assert_ok();
    let injected = faulty.injected();
    assert!(injected.stale_watches > 0 && injected.watch_breaks > 0 && injected.delays > 0);
}

#[tokio::test]
async fn lost_answers_break_promises() {
    let faulty = Faulty::new(Memory::new(), 7, Faults { lost_answers: 0.2, ..Faults::default() });
    let report = check(move || std::future::ready(faulty.clone())).await;
    assert!(!report.is_ok());
    let told = report.broken().map(|broken| format!("{:?}", broken.verdict)).collect::<String>();
    assert!(told.contains("the answer was lost"), "{told}");
    assert!(report.checked.iter().any(|checked| matches!(checked.verdict, Verdict::NotApplicable(_))));
}

#[tokio::test]
async fn the_same_seed_injects_the_same_faults() {
    let mut seen = Vec::new();
    for seed in [1, 1, 2] {
        let faulty = Faulty::new(Memory::new(), seed, Faults { lost_requests: 0.3, ..Faults::default() });
        let id = sp_sync::DocumentId::new("x").unwrap();
        let mut lost = Vec::new();
        for _ in 0..100 {
            lost.push(sp_sync::backend::Backend::remove(&faulty, &id, None).await.is_err());
        }
        seen.push(lost);
    }
    assert_eq!(seen[0], seen[1]);
    assert_ne!(seen[0], seen[2]);
}

#[cfg(feature = "embedded")]
mod embedded {
    use std::path::PathBuf;
    use std::sync::Arc;

    use async_trait::async_trait;
    use sp_sync::backend::{Backend, Embedded};
    use sp_sync::conformance::{Faulty, Subject, check};

    use crate::embedded::Scratch;

    struct OneFile(PathBuf);

    #[async_trait]
    impl Subject for OneFile {
        async fn open(&self) -> Arc<dyn Backend> {
            Arc::new(Embedded::open(&self.0).await.unwrap())
        }

        async fn reopen(&self, closed: Arc<dyn Backend>) -> Option<Arc<dyn Backend>> {
            drop(closed);
            Some(self.open().await)
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn embedded_keeps_its_promises() {
        let scratch = Scratch::new();
        let report = check(OneFile(scratch.file())).await;
        println!("{report}");
        report.assert_ok();
    }

    #[tokio::test]
    async fn embedded_keeps_its_promises_on_one_thread() {
        let scratch = Scratch::new();
        check(OneFile(scratch.file())).await.assert_ok();
    }

    #[tokio::test]
    async fn a_faulty_embedded_keeps_its_promises() {
        let scratch = Scratch::new();
        let store = Embedded::open(scratch.file()).await.unwrap();
        let faulty = Faulty::new(store, 11, super::HARMLESS);
        check(move || std::future::ready(faulty.clone())).await.assert_ok();
    }
}

#[cfg(feature = "remote")]
mod remote {
    use std::sync::Arc;
    use std::time::Duration;

    use async_trait::async_trait;
    use sp_sync::backend::Backend;
    use sp_sync::conformance::{Faulty, Subject, check};

    use crate::remote::peer::Peer;
    use crate::remote::proxy::{Faults, Proxy};
    use crate::remote::remote;

    /// Connections of their own to one service.
    struct OneService(String);

    #[async_trait]
    impl Subject for OneService {
        async fn open(&self) -> Arc<dyn Backend> {
            Arc::new(remote(&self.0))
        }

        async fn reopen(&self, closed: Arc<dyn Backend>) -> Option<Arc<dyn Backend>> {
            drop(closed);
            Some(self.open().await)
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn remote_keeps_its_promises() {
        let peer = Peer::start().await;
        let report = check(OneService(peer.uri.clone())).await;
        println!("{report}");
        report.assert_ok();
    }

    #[tokio::test]
    async fn remote_keeps_its_promises_on_one_thread_over_one_connection() {
        let peer = Peer::start().await;
        let shared = remote(&peer.uri);
        check(move || std::future::ready(shared.clone())).await.assert_ok();
        assert_eq!(peer.connections(), 1);
    }

    #[tokio::test]
    async fn remote_keeps_its_promises_over_a_slow_wire() {
        let peer = Peer::start().await;
        let delay_max = Duration::from_millis(4);
        let proxy = Proxy::start(&peer.uri, Faults { delay_max, ..Faults::default() }).await;
        check(OneService(proxy.uri.clone())).await.assert_ok();
    }

    #[tokio::test]
    async fn a_faulty_remote_keeps_its_promises() {
        let peer = Peer::start().await;
        let faulty = Faulty::new(remote(&peer.uri), 13, super::HARMLESS);
        check(move || std::future::ready(faulty.clone())).await.assert_ok();
    }

    #[cfg(feature = "server")]
    mod served {
        use sp_sync::backend::Memory;

        use super::*;
        use crate::remote::served::Served;

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn remote_over_a_server_over_memory_keeps_its_promises() {
            let served = Served::over(Memory::new()).await;
            let report = check(OneService(served.uri.clone())).await;
            println!("{report}");
            report.assert_ok();
        }

        #[tokio::test]
        async fn remote_over_a_slow_wire_to_a_server_keeps_its_promises() {
            let served = Served::over(Memory::new()).await;
            let delay_max = Duration::from_millis(4);
            let proxy = Proxy::start(&served.uri, Faults { delay_max, ..Faults::default() }).await;
            check(OneService(proxy.uri.clone())).await.assert_ok();
        }

        #[cfg(feature = "embedded")]
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn remote_over_a_server_over_embedded_keeps_its_promises() {
            let scratch = crate::embedded::Scratch::new();
            let store = sp_sync::backend::Embedded::open(scratch.file()).await.unwrap();
            let served = Served::over(store).await;
            let report = check(OneService(served.uri.clone())).await;
            println!("{report}");
            report.assert_ok();
        }
    }
}
