//! Who may do what: tokens, known by the hashes of their secrets.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use squall_types::cluster::{Revision, Role, UnixMillis, UserName};

use crate::SecretHash;

/// A token's public name, drawn at random by who makes it. Written as 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenId(u64);

/// The text is no token's id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no token's id; it is 16 hexadecimal digits")]
pub struct NotATokenId(String);

impl TokenId {
    /// The id with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for TokenId {
    type Err = NotATokenId;

    fn from_str(text: &str) -> Result<Self, NotATokenId> {
        let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = digits.then(|| u64::from_str_radix(text, 16).ok()).flatten();
        number.map(Self).ok_or_else(|| NotATokenId(text.to_owned()))
    }
}

/// What a token's holder is and may.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Whose it is.
    pub user: UserName,
    /// What its holder may do.
    pub role: Role,
    /// The SHA-256 of its secret.
    pub hash: SecretHash,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When it ends; none: never.
    pub expires_at: Option<UnixMillis>,
    /// Where in the log it was made.
    pub revision: Revision,
}

impl Token {
    /// Whether it is still good.
    pub fn is_good(&self, now: UnixMillis) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }
}

/// All tokens, by id and by hash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<TokenId, Token>", into = "BTreeMap<TokenId, Token>")]
pub(crate) struct Tokens {
    by_id: BTreeMap<TokenId, Token>,
    by_hash: BTreeMap<SecretHash, TokenId>,
}

impl From<BTreeMap<TokenId, Token>> for Tokens {
    fn from(by_id: BTreeMap<TokenId, Token>) -> Self {
        let by_hash = by_id.iter().map(|(id, token)| (token.hash, *id)).collect();
        Self { by_id, by_hash }
    }
}

impl From<Tokens> for BTreeMap<TokenId, Token> {
    fn from(tokens: Tokens) -> Self {
        tokens.by_id
    }
}

impl Tokens {
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (TokenId, &Token)> {
        self.by_id.iter().map(|(id, token)| (*id, token))
    }

    pub(crate) fn get(&self, id: TokenId) -> Option<&Token> {
        self.by_id.get(&id)
    }

    pub(crate) fn by_hash(&self, hash: &SecretHash) -> Option<(TokenId, &Token)> {
        let id = *self.by_hash.get(hash)?;
        Some((id, self.by_id.get(&id)?))
    }

    pub(crate) fn insert(&mut self, id: TokenId, token: Token) {
        self.by_hash.insert(token.hash, id);
        self.by_id.insert(id, token);
    }

    pub(crate) fn remove(&mut self, id: TokenId) -> Option<Token> {
        let token = self.by_id.remove(&id)?;
        self.by_hash.remove(&token.hash);
        Some(token)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_that_is_no_id_is_refused_and_shown() {
        for text in ["", "1", "+000000000000001", "000000000000000g", "00000000000000001"] {
            assert_eq!(text.parse::<TokenId>(), Err(NotATokenId(text.to_owned())));
        }
    }

    #[test]
    fn a_hash_is_not_shown() {
        assert_eq!(format!("{:?}", SecretHash::from_bytes([7; 32])), "SecretHash(…)");
    }

    proptest! {
        #[test]
        fn an_id_is_read_back_from_its_text(number: u64) {
            let id = TokenId::new(number);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            prop_assert_eq!(id.get(), number);
        }
    }
}
