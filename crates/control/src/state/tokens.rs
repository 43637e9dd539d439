//! Tokens: made and ended.

use super::topologies::limit;
use super::{Done, Reply, State};
use crate::command::NewToken;
use crate::{Limit, Refusal, Token, TokenId, What};

/// The most tokens in a cluster.
const MOST_TOKENS: usize = 10_000;

impl State {
    pub(super) fn create_token(&mut self, new: &NewToken) -> Done {
        if self.tokens.get(new.id).is_some() || self.tokens.by_hash(&new.hash).is_some() {
            return Err(Refusal::TokenTaken(new.id));
        }
        limit(Limit::Tokens, self.tokens.len() + 1, MOST_TOKENS)?;
        let token = Token {
            user: new.user.clone(),
            role: new.role,
            hash: new.hash,
            created_at: self.now,
            expires_at: new.expires_at,
            revision: self.revision,
        };
        self.tokens.insert(new.id, token);
        Ok((Reply::Done, vec![What::TokenCreated { id: new.id, user: new.user.clone(), role: new.role }]))
    }

    pub(super) fn revoke_token(&mut self, id: TokenId) -> Done {
        let token = self.tokens.remove(id).ok_or(Refusal::UnknownToken(id))?;
        Ok((Reply::Done, vec![What::TokenRevoked { id, user: token.user }]))
    }
}
