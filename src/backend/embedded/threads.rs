//! How the threads of a store begin.

use std::sync::Arc;
use std::thread;

use tokio::sync::{mpsc, oneshot};

use super::Shared;
use super::failure::Failure;
use super::files::{Bell, Files};
use super::follower::Follower;
use super::reader::{Reader, Requests};
use super::row::{self, patiently};
use super::schema::{Purpose, connect};
use super::still::Reading;
use super::writer::{Pace, Writer};
use crate::limits::EMBEDDED_WRITES_WAITING_MAX;

impl Shared {
    /// Starts a thread that opens a connection, tells whether that went well, and then works.
    async fn start<T: Send + 'static>(
        &self,
        name: &str,
        begin: impl FnOnce() -> Result<(T, Arc<Files>), Failure> + Send + 'static,
        work: impl FnOnce(T) + Send + 'static,
    ) -> Result<Arc<Files>, Failure> {
        let (ready, begun) = oneshot::channel();
        let alive = self.alive.clone();
        let thread = move || {
            match begin() {
                Ok((worker, files)) => {
                    // Even when nobody waits any more: others may count on the thread that watches.
                    let _ = ready.send(Ok(files));
                    work(worker);
                }
                Err(failure) => {
                    let _ = ready.send(Err(failure));
                }
            }
            drop(alive);
        };
        let spawned = thread::Builder::new().name(name.to_owned()).spawn(thread);
        spawned.map_err(|error| Failure::Thread(Arc::new(error)))?;
        begun.await.unwrap_or(Err(Failure::Ended))
    }

    pub(super) async fn start_writer(&mut self) -> Result<(), Failure> {
        let (commands, commanded) = mpsc::channel(EMBEDDED_WRITES_WAITING_MAX);
        let (path, options) = (self.path.clone(), self.options.clone());
        let (clock, hub, tally) = (self.clock.clone(), self.hub.clone(), self.tally.clone());
        let begin = move || {
            let connection = patiently(options.busy_timeout, || connect(&path, &options, Purpose::Write))?;
            // The first read opens the log; from then on its files exist as long as this connection.
            row::progress(&connection, &clock)?;
            let files = Arc::new(Files::of(&path));
            let bell = Bell::of(&path);
            let seen = files.clone();
            let pace = Pace::default();
            Ok((Writer { connection, path, files, bell, options, clock, hub, tally, pace }, seen))
        };
        self.files = self.start("sp-sync-write", begin, |writer| writer.run(commanded)).await?;
        self.commands = Some(commands);
        Ok(())
    }

    pub(super) async fn start_reader(&mut self, requested: Requests) -> Result<(), Failure> {
        let (path, options) = (self.path.clone(), self.options.clone());
        let (clock, hub, tally) = (self.clock.clone(), self.hub.clone(), self.tally.clone());
        let begin = move || {
            let mut reading = Reading::open(&path, &options)?;
            reading.read(|connection| row::progress(connection, &clock))?;
            let files = Arc::new(Files::of(&path));
            Ok((Reader { reading, path, files: files.clone(), options, clock, hub, tally }, files))
        };
        self.files = self.start("sp-sync-read", begin, move |reader| reader.run(&requested)).await?;
        Ok(())
    }

    pub(super) async fn start_follower(&self) -> Result<(), Failure> {
        let follower = Follower {
            path: self.path.clone(),
            files: self.files.clone(),
            options: self.options.clone(),
            clock: self.clock.clone(),
            hub: Arc::downgrade(&self.hub),
            commands: self.commands.as_ref().map(mpsc::Sender::downgrade),
            wake: self.wake.clone(),
            woken: self.woken.clone(),
        };
        let begin = move || match follower.connect() {
            Ok(reading) => {
                let files = follower.files.clone();
                Ok(((follower, reading), files))
            }
            Err(failure) => {
                follower.give_up(&failure);
                Err(failure)
            }
        };
        let work = |(follower, reading): (Follower, _)| follower.run(reading);
        let started = self.start("sp-sync-follow", begin, work).await;
        if let Err(failure @ Failure::Thread(_)) = &started {
            self.hub.unfollow(true);
            self.hub.fail(&self.told(failure, "watching documents"));
        }
        started.map(|_| ())
    }
}
