//! The service `Cluster`.

use std::sync::Arc;

use squall_control::{Audit, Command, NewToken, TokenId, What};
use squall_proto::v1::{self, cluster_server::Cluster};
use squall_types::cluster::{MasterName, RaftId, UnixMillis};
use tonic::{Request, Response, Status};

use super::watch::{self, Events};
use super::{chunks, members, read, show, why};
use crate::core::{Core, Wish};
use crate::fault::{Answer, Fault};
use crate::health::Known;
use crate::tokens::Secret;

/// Answers what operators ask about the cluster itself.
#[derive(Clone)]
pub(crate) struct ClusterService(pub Arc<Core>);

impl ClusterService {
    async fn change<T>(
        &self,
        request: Request<T>,
        command: impl FnOnce(T) -> Answer<(Option<v1::Mutation>, Command)>,
    ) -> Result<Response<v1::Applied>, Status> {
        let passage = read::passage(&request)?;
        let (mutation, command) = command(request.into_inner())?;
        let outcome = self.0.decide(read::wish(mutation, passage)?, command).await?;
        Ok(Response::new(show::applied(&outcome)))
    }

    /// Shows what is known: to a linearizable read if there is a leader, as of now and marked if there is none.
    // A closure: what a method's own name stands for is not general enough in lifetimes.
    async fn known<T>(&self, stale: bool, show: impl FnOnce(&Known<'_>) -> T) -> Answer<T> {
        let view = if stale {
            None
        } else {
            self.0.barrier().await?;
            Some(self.0.leading()?.view().await?)
        };
        let raft = self.0.log.status().borrow().clone();
        let state = self.0.read();
        Ok(show(&Known { me: &self.0.me, state: &state, raft: &raft, view: view.as_ref(), stale }))
    }

    fn named(&self, name: &str) -> Answer<RaftId> {
        let name: MasterName = read::parsed("name", name)?;
        members::named(&self.0.read(), &name)
    }

    /// To whom leadership was transferred by this request before, if it was.
    async fn transferred(&self, wish: &Wish) -> Answer<Option<RaftId>> {
        self.0.barrier().await?;
        let state = self.0.read();
        let Some(revision) = state.answered(wish.request, self.0.env.clock.now())? else { return Ok(None) };
        let mut events = state.events_since(revision)?;
        let to = events.find_map(|event| match event.what {
            What::Audited(Audit::LeadershipTransferred { to }) if event.request == Some(wish.request) => Some(to),
            _ => None,
        });
        Ok(Some(to.unwrap_or(self.0.me.id)))
    }

    /// Puts on record what has been done without a command.
    async fn audit(&self, passage: crate::gate::Passage, audit: Audit) -> Answer<()> {
        self.0.decide(self.0.on_behalf_of(passage), Command::Audit(audit)).await.map(|_| ())
    }
}

#[tonic::async_trait]
impl Cluster for ClusterService {
    type WatchStream = Events;
    type BackupStream = chunks::Chunks<v1::BackupChunk>;

    async fn status(&self, request: Request<v1::StatusRequest>) -> Result<Response<v1::StatusResponse>, Status> {
        let stale = read::passage(&request)?.stale;
        Ok(Response::new(self.known(stale, |known: &Known<'_>| known.status()).await?))
    }

    async fn workers(&self, request: Request<v1::WorkersRequest>) -> Result<Response<v1::WorkersResponse>, Status> {
        let stale = read::passage(&request)?.stale;
        Ok(Response::new(self.known(stale, |known: &Known<'_>| known.workers()).await?))
    }

    async fn drain(&self, request: Request<v1::DrainRequest>) -> Result<Response<v1::Applied>, Status> {
        self.change(request, |it| Ok((it.mutation, Command::Drain(read::parsed("worker", &it.worker)?)))).await
    }

    async fn undrain(&self, request: Request<v1::UndrainRequest>) -> Result<Response<v1::Applied>, Status> {
        self.change(request, |it| Ok((it.mutation, Command::Undrain(read::parsed("worker", &it.worker)?)))).await
    }

    async fn forget_worker(&self, request: Request<v1::ForgetWorkerRequest>) -> Result<Response<v1::Applied>, Status> {
        self.change(request, |it| Ok((it.mutation, Command::ForgetWorker(read::parsed("worker", &it.worker)?)))).await
    }

    async fn masters(&self, request: Request<v1::MastersRequest>) -> Result<Response<v1::MastersResponse>, Status> {
        let stale = read::passage(&request)?.stale;
        Ok(Response::new(self.known(stale, |known: &Known<'_>| known.masters()).await?))
    }

    async fn add_master(&self, request: Request<v1::AddMasterRequest>) -> Result<Response<v1::Applied>, Status> {
        let passage = read::passage(&request)?;
        let request = request.into_inner();
        let wish = read::wish(request.mutation, passage)?;
        Ok(Response::new(members::add(&self.0, &wish, &request.address).await?))
    }

    async fn remove_master(&self, request: Request<v1::RemoveMasterRequest>) -> Result<Response<v1::Applied>, Status> {
        let passage = read::passage(&request)?;
        let request = request.into_inner();
        let wish = read::wish(request.mutation, passage)?;
        let name = read::parsed("name", &request.name)?;
        Ok(Response::new(members::remove(&self.0, &wish, &name).await?))
    }

    async fn replace_master(
        &self,
        request: Request<v1::ReplaceMasterRequest>,
    ) -> Result<Response<v1::Applied>, Status> {
        let passage = read::passage(&request)?;
        let request = request.into_inner();
        let wish = read::wish(request.mutation, passage)?;
        let name = read::parsed("name", &request.name)?;
        Ok(Response::new(members::replace(&self.0, &wish, &name).await?))
    }

    async fn transfer_leadership(
        &self,
        request: Request<v1::TransferLeadershipRequest>,
    ) -> Result<Response<v1::TransferLeadershipResponse>, Status> {
        let passage = read::passage(&request)?;
        let request = request.into_inner();
        let wish = read::wish(request.mutation, passage)?;
        let to = if request.to.is_empty() { None } else { Some(self.named(&request.to)?) };
        members::as_seen(&self.0, &wish)?;
        let to = match self.transferred(&wish).await? {
            // It is done, if this is the one that was to lead; if not, it is done again.
            Some(before) => before,
            None => {
                let to = members::transfer_target(&self.0, to)?;
                // Written while this master still can.
                self.0.decide(wish, Command::Audit(Audit::LeadershipTransferred { to })).await?;
                to
            }
        };
        let leader = members::transfer(&self.0, to).await?;
        Ok(Response::new(v1::TransferLeadershipResponse { leader }))
    }

    async fn watch(&self, request: Request<v1::WatchRequest>) -> Result<Response<Events>, Status> {
        Ok(Response::new(watch::events(&self.0, request.into_inner()).await?))
    }

    async fn why(&self, request: Request<v1::WhyRequest>) -> Result<Response<v1::WhyResponse>, Status> {
        let stale = read::passage(&request)?.stale;
        let request = request.into_inner();
        let topology = read::parsed("topology", &request.topology)?;
        let now = self.0.env.clock.now();
        Ok(Response::new(self.known(stale, |known| why::why(known, &topology, &request.executor, now)).await??))
    }

    async fn backup(&self, request: Request<v1::BackupRequest>) -> Result<Response<Self::BackupStream>, Status> {
        let passage = read::passage(&request)?;
        self.audit(passage, Audit::BackupTaken).await?;
        self.0.barrier().await?;
        let bytes = self.0.read().encode();
        Ok(Response::new(chunks::of(bytes.into(), |data| v1::BackupChunk { data })))
    }

    async fn create_token(
        &self,
        request: Request<v1::CreateTokenRequest>,
    ) -> Result<Response<v1::CreateTokenResponse>, Status> {
        let passage = read::passage(&request)?;
        let request = request.into_inner();
        let role = read::role(request.role())?;
        let wish = read::wish(request.mutation, passage)?;
        let random = &self.0.env.random;
        let secret = Secret::new(random.bytes());
        let id = TokenId::new(random.number());
        let expires_at = Some(request.expires_at_ms).filter(|at| *at > 0).map(UnixMillis::new);
        let user = read::parsed("user", &request.user)?;
        let token = NewToken { id, user, role, hash: secret.hash(), expires_at };
        let outcome = self.0.decide(wish, Command::CreateToken(token)).await?;
        if outcome.repeated {
            return Err(repeated_token().into());
        }
        Ok(Response::new(v1::CreateTokenResponse {
            applied: Some(show::applied(&outcome)),
            token: secret.reveal().to_owned(),
            id: id.to_string(),
        }))
    }

    async fn tokens(&self, _: Request<v1::TokensRequest>) -> Result<Response<v1::TokensResponse>, Status> {
        self.0.barrier().await?;
        let state = self.0.read();
        let token = |(id, token): (TokenId, &squall_control::Token)| v1::Token {
            id: id.to_string(),
            user: token.user.to_string(),
            role: show::role(token.role).into(),
            created_at_ms: token.created_at.get(),
            expires_at_ms: show::millis(token.expires_at),
        };
        Ok(Response::new(v1::TokensResponse { tokens: state.tokens().map(token).collect() }))
    }

    async fn revoke_token(&self, request: Request<v1::RevokeTokenRequest>) -> Result<Response<v1::Applied>, Status> {
        self.change(request, |it| Ok((it.mutation, Command::RevokeToken(read::parsed("id", &it.id)?)))).await
    }
}

fn repeated_token() -> Fault {
    let cause = "this request made a token before; its secret was shown then, and is nowhere any more";
    Fault::new(
        tonic::Code::AlreadyExists,
        squall_types::codes::TOKEN_TAKEN,
        cause,
        "revoke that token, and ask for a new one with a new request id",
    )
}
