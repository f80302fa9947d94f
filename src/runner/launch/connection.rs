use std::sync::mpsc::{self, Sender};
use std::thread;

use crate::board::{Board, Site};
use crate::spec::RunId;

use super::call::CallError;
use super::job::Job;
use super::kinds;
use super::transfer;
use super::update::Update;
use super::worker::{Request, Worker};

/// The runner's end of a site: it sends requests, and never waits for another machine. What comes of
/// them arrives as [`Update`]s.
#[derive(Debug)]
pub(in crate::runner) struct Connection {
    requests: Sender<Request>,
}

impl Connection {
    /// Starts the threads that serve a site; `tell` is given what they find out.
    ///
    /// # Errors
    /// No place for ssh's socket, or no threads.
    pub(in crate::runner) fn open(
        board: &Board,
        name: &str,
        site: &Site,
        tell: Box<dyn Fn(Update) + Send>,
    ) -> Result<Self, CallError> {
        let (requests, inbox) = mpsc::channel();
        let (transfers, to_do) = mpsc::channel();
        let (done, results) = mpsc::channel();
        let host = kinds::host(site)?;
        let scheduler = (kinds::scheduler(site).open)(board.clone(), host.clone(), site);
        let spawn = |what: &str, work: Box<dyn FnOnce() + Send>| {
            thread::Builder::new().name(format!("{what} {name}")).spawn(work).map(drop)
        };
        let their_board = board.clone();
        spawn("transfer", Box::new(move || transfer::serve(&their_board, &host, to_do, done)))?;
        // One inbox: a transfer that ends wakes the worker like a request.
        let forward = requests.clone();
        spawn(
            "transferred",
            Box::new(move || {
                for result in results {
                    if forward.send(Request::Transferred(result)).is_err() {
                        return;
                    }
                }
            }),
        )?;
        let worker = Worker::new(board.clone(), name, site.fetch, scheduler, transfers, tell);
        spawn("site", Box::new(move || worker.serve(inbox)))?;
        Ok(Self { requests })
    }

    /// Starts a job, or finds it again if its ticket is known there.
    pub(in crate::runner) fn submit(&self, job: Job) {
        let _ = self.requests.send(Request::Submit(Box::new(job)));
    }

    /// Asks a job to save and end; after a grace it is killed.
    pub(in crate::runner) fn end(&self, id: RunId) {
        let _ = self.requests.send(Request::End(id));
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let _ = self.requests.send(Request::Close);
    }
}
