//! A watch that tells late, skips what came meanwhile, and breaks off.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;

use super::faulty::{Shared, unavailable};
use crate::backend::{BackendError, Change, Watch};

/// The same watch with faults.
pub(super) fn passed_on(watch: Watch, shared: Arc<Shared>) -> Watch {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        tokio::select! {
            biased;
            // A watcher that is gone is noticed at once, not with the next change.
            () = sender.closed() => {}
            () = pass_on(watch, &shared, &sender) => {}
        }
    });
    Box::pin(ReceiverStream::new(receiver))
}

async fn pass_on(mut watch: Watch, shared: &Shared, sender: &mpsc::Sender<Result<Change, BackendError>>) {
    while let Some(change) = watch.next().await {
        let newest = match shared.chooses(shared.faults().stale_watches, |counts| &counts.stale_watches) {
            true => dawdle(&mut watch, shared, change).await,
            false => change,
        };
        let failed = newest.is_err();
        if sender.send(newest).await.is_err() || failed {
            return;
        }
        if shared.chooses(shared.faults().watch_breaks, |counts| &counts.watch_breaks) {
            let _ = sender.send(Err(unavailable("watching"))).await;
            return;
        }
    }
}

/// Waits, and keeps only the newest of what comes meanwhile.
async fn dawdle(
    watch: &mut Watch,
    shared: &Shared,
    mut newest: Result<Change, BackendError>,
) -> Result<Change, BackendError> {
    let late = tokio::time::sleep(shared.delay());
    tokio::pin!(late);
    loop {
        tokio::select! {
            () = &mut late => return newest,
            next = watch.next(), if newest.is_ok() => match next {
                Some(next) => newest = next,
                // The stream's end is told after its last state.
                None => return newest,
            },
        }
    }
}
