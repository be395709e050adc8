//! Why bytes are no frame.

/// Why bytes are no frame, and where. Never quotes them: headers carry tokens (C64).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no frame, at byte {offset}: {fault}")]
pub struct FrameError {
    /// Bytes of the message before the fault.
    pub offset: usize,
    /// What is wrong there.
    pub fault: Fault,
}

/// What is wrong with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The message is longer than this side reads.
    #[error("the message has {bytes} bytes, the limit is {limit}")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The most that is read.
        limit: usize,
    },
    /// Another protocol or version.
    #[error("expected `TWILSOCK V3.0 ` and the length of the header")]
    Magic,
    /// No length, or one with too many digits.
    #[error("expected the length of the header, 1 to 9 digits and a line end")]
    HeaderLength,
    /// The header is longer than this side reads.
    #[error("the header has {bytes} bytes, the limit is {limit}")]
    HeaderTooLong {
        /// Its length as stated.
        bytes: usize,
        /// The most that is read.
        limit: usize,
    },
    /// The message ends too early.
    #[error("the {part} has {stated} bytes by its own count, only {present} are there")]
    Short {
        /// `header` or `payload`.
        part: &'static str,
        /// Bytes stated.
        stated: usize,
        /// Bytes present.
        present: usize,
    },
    /// The header is not followed by CR and LF.
    #[error("expected a line end after the header")]
    LineEnd,
    /// The header is not one JSON object.
    #[error("the header is not one JSON object")]
    Header,
    /// A field that every frame has is absent or of another type.
    #[error("the header's `{field}` must be {expected}")]
    Field {
        /// Its name.
        field: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// Something stands behind the payload.
    #[error("{bytes} bytes stand behind the payload, where at most a line end belongs")]
    Surplus {
        /// How many.
        bytes: usize,
    },
}

impl Fault {
    pub(super) const fn at(self, offset: usize) -> FrameError {
        FrameError { offset, fault: self }
    }
}
