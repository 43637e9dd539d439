//! Verbs about tokens.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};
use squall_master::Env;
use squall_master::config::MasterConfig;
use squall_master::tokens::Secret;
use squall_master::tokens::wanted::{self, Wanted};
use squall_proto::v1;
use squall_proto::v1::cluster_client::ClusterClient;
use squall_types::cluster::{Role, UserName};
use squall_types::duration;

use super::Session;
use super::answer::Done;
use super::daemon::{DaemonArgs, load};
use crate::client::{Client, Output, now};
use crate::error::CliError;
use crate::output::{Table, View, role, show, utc};

/// What is done about tokens.
#[derive(Default, clap::Subcommand)]
pub enum TokensVerb {
    /// All tokens; their secrets are nowhere
    #[default]
    List,
    /// Make a token; its secret is shown this once, on stdout
    Create {
        /// Whose it is
        user: String,
        /// What its holder may do: read, operate or admin
        #[arg(long, default_value = "read")]
        role: Role,
        /// Ends after so long [default: never]
        #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
        valid_for: Option<Duration>,
    },
    /// End a token
    Revoke {
        /// Its id
        id: String,
    },
    /// On a master's machine: have an admin's token made, the first one or when all are lost; its secret is shown this once, on stdout
    Bootstrap(Box<BootstrapArgs>),
}

/// For whom, and where.
#[derive(clap::Args)]
pub struct BootstrapArgs {
    /// Whose it is
    #[arg(default_value = "admin")]
    user: UserName,
    #[command(flatten)]
    daemon: DaemonArgs<MasterConfig>,
}

struct Tokens(v1::TokensResponse);

impl View for Tokens {
    fn text(&self, _: bool) -> String {
        let mut table = Table::new(["ID", "USER", "ROLE", "CREATED", "EXPIRES"]);
        for it in &self.0.tokens {
            let cells = [it.id.clone(), it.user.clone(), role(it.role).to_owned(), utc(it.created_at_ms)];
            table.row(cells.into_iter().chain([if it.expires_at_ms == 0 {
                "never".to_owned()
            } else {
                utc(it.expires_at_ms)
            }]));
        }
        table.text("no tokens; `squall tokens create USER --role ROLE` makes one")
    }

    fn json(&self) -> Value {
        let token = |it: &v1::Token| {
            json!({
                "id": it.id, "user": it.user, "role": role(it.role), "created_at": utc(it.created_at_ms),
                "expires_at": if it.expires_at_ms > 0 { json!(utc(it.expires_at_ms)) } else { Value::Null },
            })
        };
        json!({ "tokens": self.0.tokens.iter().map(token).collect::<Vec<_>>() })
    }
}

struct Created(v1::CreateTokenResponse);

impl View for Created {
    /// The secret alone, so that it can be piped on.
    fn text(&self, _: bool) -> String {
        format!("{}\n", self.0.token)
    }

    fn json(&self) -> Value {
        json!({ "id": self.0.id, "token": self.0.token, "revision": self.0.applied.unwrap_or_default().revision })
    }
}

/// Does it.
pub async fn run(verb: &TokensVerb, session: &mut Session) -> Result<ExitCode, CliError> {
    match verb {
        TokensVerb::List => {
            let call = |link| async move { ClusterClient::new(link).tokens(v1::TokensRequest {}).await };
            let answer = session.client.ask(call).await?;
            session.show(&Tokens(answer))
        }
        TokensVerb::Create { user, role, valid_for } => create(user, *role, *valid_for, session).await,
        TokensVerb::Revoke { id } => revoke(id, session).await,
        TokensVerb::Bootstrap(_) => unreachable!("this calls no cluster"),
    }
}

async fn create(
    user: &str,
    role: Role,
    valid_for: Option<Duration>,
    session: &mut Session,
) -> Result<ExitCode, CliError> {
    let role = match role {
        Role::Read => v1::TokenRole::Read,
        Role::Operate => v1::TokenRole::Operate,
        Role::Admin => v1::TokenRole::Admin,
    };
    let request = v1::CreateTokenRequest {
        mutation: Client::mutation()?,
        user: user.to_owned(),
        role: role.into(),
        expires_at_ms: valid_for.map_or(0, |valid_for| now().plus(valid_for).get()),
    };
    let call = |link| {
        let request = request.clone();
        async move { ClusterClient::new(link).create_token(request).await }
    };
    let answer = session.client.change(call).await?;
    eprintln!("token {} of {user}; keep it now: the cluster has its hash alone", answer.id);
    session.show(&Created(answer))
}

async fn revoke(id: &str, session: &mut Session) -> Result<ExitCode, CliError> {
    let request = v1::RevokeTokenRequest { mutation: Client::mutation()?, id: id.to_owned() };
    let call = |link| {
        let request = request.clone();
        async move { ClusterClient::new(link).revoke_token(request).await }
    };
    let applied = session.client.change(call).await?;
    session.show(&Done::new(format!("token {id} is revoked"), Some(applied)))
}

/// How long it is waited for a master that runs to make the token.
const MADE: Duration = Duration::from_secs(5);

/// Asks for a token in a master's data directory.
pub fn bootstrap(args: &BootstrapArgs, output: Output) -> Result<ExitCode, CliError> {
    let config = load(&args.daemon)?;
    let random = Env::machine().random;
    let secret = Secret::new(random.bytes());
    let wanted = Wanted::new(args.user.clone(), &secret, random.number());
    let path = wanted::file(&config.data_dir);
    wanted.ask(&config.data_dir).map_err(|source| CliError::File { what: "write", path: path.clone(), source })?;
    let made = (0..MADE.as_millis() / 100).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        !path.exists()
    });
    let when =
        if made { "it is good now" } else { "it is good once a master runs on this data directory and has a leader" };
    eprintln!(
        "token {} of {}, an admin's; {when}; keep it now: the cluster has its hash alone",
        wanted.id, wanted.user
    );
    let created =
        v1::CreateTokenResponse { applied: None, token: secret.reveal().to_owned(), id: wanted.id.to_string() };
    show(&Created(created), output)?;
    Ok(ExitCode::SUCCESS)
}
