//! Several actions in one write (C22, C23).

use serde_json::{Map, Value};

use crate::catalogue::typed::TypedAction;
use crate::error::Result;
use crate::id::Executor;

/// Actions in the order in which they are to be carried out. Added whole or not at all, with nobody's actions between
/// them; it may name several executors. An empty batch does nothing and succeeds.
#[derive(Clone, Default)]
#[must_use]
pub struct Batch {
    pub(super) members: Vec<Member>,
}

#[derive(Clone)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) info: Value,
    pub(super) respond_to: Option<Executor>,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an action.
    pub fn then<A: TypedAction>(mut self, action: A) -> Self {
        let info = Value::Object(action.into_info());
        self.members.push(Member { name: A::ACTION.to_owned(), info, respond_to: None });
        self
    }

    /// Adds an action by its name; checked against the catalogue when the batch is added.
    pub fn then_named(mut self, name: impl Into<String>, info: impl Into<Value>) -> Self {
        self.members.push(Member { name: name.into(), info: info.into(), respond_to: None });
        self
    }

    /// Asks for the response of the action added last to be posted to this executor (C47).
    pub fn respond_to(mut self, executor: impl Into<Executor>) -> Self {
        if let Some(last) = self.members.last_mut() {
            last.respond_to = Some(executor.into());
        }
        self
    }

    /// How many actions it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

impl std::fmt::Debug for Batch {
    /// Shows names, never values (C64).
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.members.iter().map(|member| &member.name)).finish()
    }
}

impl Member {
    /// The info with `respondTo` laid in, as the original allows (C27).
    pub(super) fn into_info(self) -> Result<(String, Map<String, Value>)> {
        let mut info = match self.info {
            Value::Null => Map::new(),
            other => super::shared::object("info", other)?,
        };
        if let Some(executor) = self.respond_to {
            info.insert("respondTo".into(), executor.as_str().into());
        }
        Ok((self.name, info))
    }
}
