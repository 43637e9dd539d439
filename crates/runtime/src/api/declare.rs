//! Declaring output streams.

use squall_types::topology::{Fields, StreamDecl};
use squall_types::{IntoRow, StreamId};

/// Takes the declaration of a component's output streams.
#[derive(Debug, Default)]
pub struct Declarer {
    streams: Vec<StreamDecl>,
}

impl Declarer {
    /// Nothing declared.
    pub fn new() -> Self {
        Self::default()
    }

    /// Declares the default stream with the fields of a row type (one that derives `Tuple`).
    pub fn emits<R: IntoRow>(&mut self) -> &mut Self {
        self.stream("default", R::fields().unwrap_or_default())
    }

    /// Declares a further stream with the fields of a row type.
    pub fn emits_on<R: IntoRow>(&mut self, stream: &str) -> &mut Self {
        self.stream(stream, R::fields().unwrap_or_default())
    }

    /// Declares a stream by the names of its fields.
    pub fn stream<S: AsRef<str>>(&mut self, stream: &str, fields: impl IntoIterator<Item = S>) -> &mut Self {
        self.declare(stream, fields, false)
    }

    /// Declares a stream whose rows name their receivers.
    pub fn direct_stream<S: AsRef<str>>(&mut self, stream: &str, fields: impl IntoIterator<Item = S>) -> &mut Self {
        self.declare(stream, fields, true)
    }

    fn declare<S: AsRef<str>>(&mut self, id: &str, fields: impl IntoIterator<Item = S>, direct: bool) -> &mut Self {
        self.streams.push(StreamDecl { id: StreamId::new(id), fields: Fields::new(fields), direct });
        self
    }

    /// What was declared.
    pub fn into_streams(self) -> Vec<StreamDecl> {
        self.streams
    }
}
