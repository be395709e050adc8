//! What attackers found: each once broke a promise.

mod claims;
mod responses;
mod settings;
mod stores;
mod writes;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use sp_sync::backend::{
    Backend, BackendError, Change, Facts, Memory, Revision, Stored, Watch, Write, Written,
};
use sp_sync::document::Dropped;
use sp_sync::{DocumentId, Error, Notice, Settings, SyncClient, extension};
use tokio_stream::StreamExt as _;

use crate::support::*;

use stores::Odd;
