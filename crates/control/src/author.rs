//! Who changes the members: a change of the members is Raft's own entry in the log, so what an envelope says goes beside it.

use serde::{Deserialize, Serialize};
use squall_types::cluster::{FeatureLevel, RequestId, UnixMillis, UserName};

use crate::Line;

/// Who wants a change of the members, from where, and by which request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// Makes a retry the same request.
    pub request: RequestId,
    /// The leader's wall time when it took the call in.
    pub at: UnixMillis,
    /// Who; none: nobody was asked who they are.
    pub actor: Option<UserName>,
    /// Where from.
    pub origin: Option<Line>,
}

/// The version that is written.
const FORMAT: u8 = 1;
/// The most bytes that are read.
const LONGEST: usize = 1_024;

impl Author {
    /// From this level of the cluster on, changes of the members say whose they are.
    pub const LEVEL: FeatureLevel = FeatureLevel::new(3);

    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_extend(self, vec![FORMAT]).expect("an author is plain data, which postcard can always write")
    }

    /// The author that these bytes are; none, if they are none. No bytes panic it.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (format, body) = bytes.split_first().filter(|_| bytes.len() <= LONGEST)?;
        (*format == FORMAT).then(|| postcard::from_bytes(body).ok()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn author() -> Author {
        let at = UnixMillis::new(1_790_000_000_000);
        let (actor, origin) = (Some("ann".parse().unwrap()), Some(Line::lossy("10.0.0.9")));
        Author { request: RequestId::new(at, 7), at, actor, origin }
    }

    #[test]
    fn an_author_is_read_back_and_a_change_without_one_has_none() {
        assert_eq!(Author::decode(&author().encode()), Some(author()));
        let mut newer = author().encode();
        newer[0] = FORMAT + 1;
        assert_eq!((Author::decode(&newer), Author::decode(&[])), (None, None));
    }

    proptest! {
        #[test]
        fn no_bytes_panic_the_reader(bytes: Vec<u8>) {
            let _ = Author::decode(&bytes);
        }
    }
}
