//! Requests about documents.

use tokio::time::Instant;

use super::super::Permissions;
use super::super::document::{Answer, Change, Command, Edit};
use super::super::names::Names;
use super::{Asked, in_words_of, written};
use crate::id::DocumentId;
use crate::twilsock::message::Response;
use crate::twilsock::sync::{Address, Code, CreateDocument, Revision, SyncError, UpdateDocument};

/// A request that changes a document that is there.
pub(super) enum Asking {
    Update(UpdateDocument),
    Remove(Option<Revision>),
}

pub(super) async fn create(asked: Asked, create: CreateDocument) {
    let document = match &create.unique_name {
        Some(name) => Names::named(name),
        None => Names::unnamed(),
    };
    let document = match document {
        Ok(document) => document,
        Err(error) => return asked.refuse(error),
    };
    // Whoever makes a document says how long it lives: there is nothing yet that is anybody's to manage. Nor is there a
    // row that counts: those that may be left are of an earlier life.
    if !asked.core.access.rules.may(asked.peer.identity(), document.as_str()).write {
        return asked.refuse(Code::NotAllowed.into());
    }
    let data = create.data.unwrap_or_default();
    let address = Address::Name(document.as_str().to_owned());
    let core = asked.core.clone();
    if let Some((document, command)) =
        writing(asked, address, document, Edit::Create { data, ttl: create.ttl }, 201)
    {
        core.command(&document, command).await;
    }
}

pub(super) async fn get(asked: Asked, address: Address) {
    match read(&asked, &address).await {
        Ok(response) => asked.answer(response),
        Err(error) => asked.refuse(in_words_of(&address, error)),
    }
}

async fn read(asked: &Asked, address: &Address) -> Result<Response, SyncError> {
    let document = asked.core.find(address).await?;
    let may = asked.may(&document).await?;
    if !may.read {
        return Err(asked.denial(address, &document, may).await);
    }
    let stored = asked.core.read(&document).await?;
    let data = stored.document.to_json();
    Ok(Response::json(200, asked.core.resource(&document, &stored).payload(Some(&data))))
}

pub(super) async fn change(asked: Asked, address: Address, asking: Asking) {
    match asked.core.find_now(&address) {
        Some(Ok(document)) => change_found(asked, address, document, asking).await,
        Some(Err(error)) => asked.refuse(error),
        // Looking for it takes its time; other requests go on.
        None => drop(tokio::spawn(async move {
            match asked.core.find(&address).await {
                Ok(document) => change_found(asked, address, document, asking).await,
                Err(error) => asked.refuse(error),
            }
        })),
    }
}

async fn change_found(asked: Asked, address: Address, document: DocumentId, asking: Asking) {
    let may = asked.may(&document).await;
    let core = asked.core.clone();
    if let Some((document, command)) = changing(asked, address, document, asking, may) {
        core.command(&document, command).await;
    }
}

/// The command for a document's task, unless the request is refused.
fn changing(
    asked: Asked,
    address: Address,
    document: DocumentId,
    asking: Asking,
    may: Result<Permissions, SyncError>,
) -> Option<(DocumentId, Command)> {
    let may = match may {
        Ok(may) => may,
        Err(error) => return refused(asked, error),
    };
    let edit = match asking {
        // Sync: data is written with the right to write; how long a document lives, and its end, are to be managed.
        Asking::Update(UpdateDocument { data, ttl, if_match })
            if (may.write || data.is_none()) && (may.manage || ttl.is_none()) =>
        {
            Edit::Update { data, ttl, if_match }
        }
        Asking::Remove(if_match) if may.manage => Edit::Remove { if_match },
        // Saying so takes its time, too.
        Asking::Update(_) | Asking::Remove(_) => {
            tokio::spawn(async move {
                let error = asked.denial(&address, &document, may).await;
                asked.refuse(error);
            });
            return None;
        }
    };
    writing(asked, address, document, edit, 200)
}

fn refused<T>(asked: Asked, error: SyncError) -> Option<T> {
    asked.refuse(error);
    None
}

fn writing(
    asked: Asked,
    address: Address,
    document: DocumentId,
    edit: Edit,
    success: u16,
) -> Option<(DocumentId, Command)> {
    if let Err(error) = asked.core.check(&document, &edit) {
        asked.core.counters.writes_refused.up();
        return refused(asked, error);
    }
    let (author, until) = (Some(asked.peer.id), Instant::now() + asked.core.limits.write_within);
    let target = document.clone();
    let answer: Answer = Box::new(move |outcome| match outcome {
        Ok(done) => {
            let response = written(&asked.core, &document, success, done);
            asked.answer(response);
        }
        Err(error) => asked.refuse(in_words_of(&address, error)),
    });
    Some((target, Command::Change(Box::new(Change { edit, author, until, answer }))))
}
