//! Requests that wait for a connection, and requests that wait for their answer.

use std::collections::VecDeque;

use tokio::time::Instant;

use super::super::message::{Reply, Request};
use super::output::{Output, RequestError, Ticket};
use super::{BackoffPolicy, Core};
use crate::limits::TWILSOCK_REQUESTS_WAITING_MAX;

/// Both in order of their deadlines, because all wait equally long.
#[derive(Debug, Default)]
pub(super) struct Requests {
    tickets: u64,
    waiting: VecDeque<(Ticket, Request, Instant)>,
    sent: VecDeque<(Ticket, String, Instant)>,
}

impl Core {
    /// Puts a request at the end of those that wait; `ended` when none will ever be sent.
    pub(super) fn queue_request(&mut self, request: Request, ended: bool, now: Instant) -> Ticket {
        let requests = &mut self.requests;
        requests.tickets += 1;
        let ticket = Ticket(requests.tickets);
        let refused = if ended {
            Some(RequestError::Closed)
        } else if requests.waiting.len() >= TWILSOCK_REQUESTS_WAITING_MAX {
            Some(RequestError::TooMany)
        } else {
            None
        };
        match refused {
            Some(error) => self.outputs.push_back(Output::Answer(ticket, Err(error))),
            None => requests.waiting.push_back((ticket, request, now + self.settings.queue_within)),
        }
        ticket
    }

    /// Sends those that wait, in order, as long as there is room for their answers.
    pub(super) fn send_waiting(&mut self, now: Instant) {
        while self.requests.sent.len() < TWILSOCK_REQUESTS_WAITING_MAX {
            let Some((ticket, request, _)) = self.requests.waiting.pop_front() else { return };
            let id = self.ids.next();
            self.outputs.push_back(Output::Send(request.frame(&id)));
            let until = now + self.reply_within();
            self.requests.sent.push_back((ticket, id, until));
        }
    }
}

impl Requests {
    /// The answer to a request. Twilsock: 429 in the transport's status asks for a pause; answers `Some` then, with the
    /// server's policy if it has one.
    pub(super) fn replied(
        &mut self,
        id: &str,
        reply: Reply,
        outputs: &mut VecDeque<Output>,
    ) -> Option<Option<BackoffPolicy>> {
        // The answer to a request that is given up already is passed over.
        let at = self.sent.iter().position(|(_, own, _)| own == id)?;
        let (ticket, _, _) = self.sent.remove(at)?;
        let response = reply.into_response();
        let throttled = match &response {
            Err(refusal) if refusal.status.code == 429 => Some(refusal.backoff),
            _ => None,
        };
        outputs.push_back(Output::Answer(ticket, response.map_err(RequestError::Refused)));
        throttled
    }

    pub(super) fn withdraw(&mut self, ticket: Ticket) -> bool {
        let at = self.waiting.iter().position(|(own, _, _)| *own == ticket);
        at.and_then(|at| self.waiting.remove(at)).is_some()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let waiting = self.waiting.front().map(|(_, _, until)| *until);
        let sent = self.sent.front().map(|(_, _, until)| *until);
        [waiting, sent].into_iter().flatten().min()
    }

    pub(super) fn expire(&mut self, now: Instant, outputs: &mut VecDeque<Output>) {
        while let Some((ticket, _, _)) = self.waiting.pop_front_if(|(_, _, until)| *until <= now) {
            outputs.push_back(Output::Answer(ticket, Err(RequestError::NotSent)));
        }
        while let Some((ticket, _, _)) = self.sent.pop_front_if(|(_, _, until)| *until <= now) {
            outputs.push_back(Output::Answer(ticket, Err(RequestError::Unknown)));
        }
    }

    /// The connection is gone: nobody knows what became of what was sent.
    pub(super) fn lose_sent(&mut self, outputs: &mut VecDeque<Output>) {
        for (ticket, _, _) in self.sent.drain(..) {
            outputs.push_back(Output::Answer(ticket, Err(RequestError::Unknown)));
        }
    }

    /// The session is over.
    pub(super) fn close(&mut self, outputs: &mut VecDeque<Output>) {
        self.lose_sent(outputs);
        for (ticket, _, _) in self.waiting.drain(..) {
            outputs.push_back(Output::Answer(ticket, Err(RequestError::Closed)));
        }
    }
}
