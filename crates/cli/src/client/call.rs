//! One call, tried until it is answered or its time is over.

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use squall_daemon::certs::{self, End, TlsFault};
use squall_daemon::config::HostPort;
use squall_proto::{Failure, v1};
use squall_types::{Retry, duration};
use tokio::time::Instant;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::connect::{Bearer, Link, connect};
use super::ids::request_id;
use super::pace::Pace;
use super::settings::Settings;
use crate::error::{CliError, Fault};

/// How long masters that can't be connected to are tried: a cluster that isn't there needn't be waited for.
const PATIENCE: Duration = Duration::from_secs(2);

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Calls masters.
pub struct Client {
    addresses: Vec<HostPort>,
    tls: certs::Client,
    bearer: Bearer,
    timeout: Duration,
    at: usize,
    link: Option<(HostPort, Channel)>,
}

/// What an attempt came to.
enum Attempt<T> {
    Answered(T),
    /// It may work elsewhere, or later.
    Again {
        leader: Option<HostPort>,
        error: Met,
    },
    /// It won't.
    Ended(CliError),
}

impl Client {
    /// A client that calls as the settings say.
    ///
    /// # Errors
    /// If certificates can't be read.
    pub fn new(settings: &Settings) -> Result<Self, CliError> {
        Ok(Self {
            addresses: settings.connect.clone(),
            tls: settings.tls()?,
            bearer: Bearer::new(settings.token.as_deref()),
            timeout: settings.timeout,
            at: 0,
            link: None,
        })
    }

    /// Gives up the connection, as one that broke: the next call makes another, to the next master.
    pub fn forget(&mut self) {
        self.turn(None);
    }

    /// What a change carries. One for all attempts.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn mutation() -> Result<Option<v1::Mutation>, CliError> {
        Ok(Some(v1::Mutation { request_id: request_id()?.to_string(), expected_revision: None }))
    }

    /// Asks for something: changes nothing, so nothing is unknown if no answer comes.
    ///
    /// # Errors
    /// If a master refuses, or none answers.
    pub async fn ask<T, F: Future<Output = Result<tonic::Response<T>, Status>>>(
        &mut self,
        call: impl Fn(Link) -> F,
    ) -> Result<T, CliError> {
        self.call("nothing was changed", &Pace::short(), call).await
    }

    /// Asks for something that is long: the time begins anew with each byte.
    ///
    /// # Errors
    /// If a master refuses, or none answers, or bytes stay away.
    pub async fn receive<T, F: Future<Output = Result<tonic::Response<T>, Status>>>(
        &mut self,
        pace: &Pace,
        call: impl Fn(Link) -> F,
    ) -> Result<T, CliError> {
        self.call("nothing was changed", pace, call).await
    }

    /// Sends something that is long: the time begins anew with each byte.
    ///
    /// # Errors
    /// If a master refuses, or none answers, or takes no more bytes.
    pub async fn send<T, F: Future<Output = Result<tonic::Response<T>, Status>>>(
        &mut self,
        pace: &Pace,
        call: impl Fn(Link) -> F,
    ) -> Result<T, CliError> {
        self.call("what has come is kept: the same again goes on from there", pace, call).await
    }

    /// Changes something. The same request, request id included, is sent with each attempt.
    ///
    /// # Errors
    /// If a master refuses, or none answers: then it may have been done.
    pub async fn change<T, F: Future<Output = Result<tonic::Response<T>, Status>>>(
        &mut self,
        call: impl Fn(Link) -> F,
    ) -> Result<T, CliError> {
        self.call("it may have been done, or may still be", &Pace::short(), call).await
    }

    async fn call<T, F: Future<Output = Result<tonic::Response<T>, Status>>>(
        &mut self,
        outcome: &'static str,
        pace: &Pace,
        call: impl Fn(Link) -> F,
    ) -> Result<T, CliError> {
        let start = Instant::now();
        let (timeout, mut pause, mut reached) = (self.timeout, FIRST_PAUSE, false);
        let mut met: Option<Met> = None;
        loop {
            let within = pace.answered_within(timeout);
            let attempt = tokio::select! {
                biased;
                attempt = self.attempt(&call, within, &mut reached) => Some(attempt),
                () = pace.over(timeout) => None,
            };
            let leader = match attempt {
                Some(Attempt::Answered(answer)) => return Ok(answer),
                Some(Attempt::Ended(error)) => return Err(error),
                Some(Attempt::Again { leader, error }) => {
                    // What a master says tells more than that others can't be reached.
                    met = met.filter(|met| met.is_word() && !error.is_word()).or(Some(error));
                    leader
                }
                None => None,
            };
            pace.broke();
            let over = pace.left(timeout) <= pause;
            if !reached && (over || start.elapsed() >= PATIENCE.min(self.timeout)) {
                let tried: Vec<_> = self.addresses.iter().map(ToString::to_string).collect();
                return Err(CliError::NoMaster { tried: tried.join(", "), source: met.map(Into::into) });
            }
            if over {
                let source = met.map(Into::into);
                return Err(CliError::TimedOut { within: duration::format(self.timeout), outcome, source });
            }
            self.turn(leader);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn attempt<T, F: Future<Output = Result<tonic::Response<T>, Status>>>(
        &mut self,
        call: impl Fn(Link) -> F,
        within: Option<Duration>,
        reached: &mut bool,
    ) -> Attempt<T> {
        let (address, channel) = match self.connected().await {
            Ok(connected) => connected,
            Err((address, error)) => return unreachable(address, error),
        };
        // From here on something is there, and may have done what it was asked for.
        *reached = true;
        match call(Link::new(channel, self.bearer.within(within))).await {
            Ok(answer) => Attempt::Answered(answer.into_inner()),
            Err(status) => judge(&address, status),
        }
    }

    async fn connected(&mut self) -> Result<(HostPort, Channel), (HostPort, tonic::transport::Error)> {
        if let Some(link) = &self.link {
            return Ok(link.clone());
        }
        let address = self.addresses[self.at % self.addresses.len()].clone();
        match connect(&self.tls, &address).await {
            Ok(channel) => Ok(self.link.insert((address, channel)).clone()),
            Err(error) => Err((address, error)),
        }
    }

    /// Turns to the leader if it is known, else to the next.
    fn turn(&mut self, leader: Option<HostPort>) {
        self.link = None;
        match leader {
            Some(leader) => match self.addresses.iter().position(|address| *address == leader) {
                Some(at) => self.at = at,
                None => {
                    self.addresses.push(leader);
                    self.at = self.addresses.len() - 1;
                }
            },
            None => self.at = (self.at + 1) % self.addresses.len(),
        }
    }
}

fn unreachable<T>(address: HostPort, error: tonic::transport::Error) -> Attempt<T> {
    match TlsFault::find(&error, End::Client) {
        // Certificates don't mend themselves.
        Some(fault) if !matches!(fault, TlsFault::Broken(_)) => {
            Attempt::Ended(CliError::Tls { address: address.to_string(), fault: Fault(Box::new(fault)) })
        }
        _ => Attempt::Again { leader: None, error: Met::Broken(innermost(&error)) },
    }
}

fn judge<T>(address: &HostPort, status: Status) -> Attempt<T> {
    if let Some(failure) = Failure::from_status(&status) {
        let leader = failure.leader.as_ref().and_then(|leader| leader.parse().ok());
        // What the state doesn't allow now may be allowed later, once somebody has done something about it: that is no reason to wait.
        let refused = matches!(failure.grpc, Code::FailedPrecondition | Code::InvalidArgument);
        return match failure.retry {
            Retry::Later if !refused => Attempt::Again { leader, error: Met::Word(failure.code, failure.cause) },
            Retry::Later | Retry::No => Attempt::Ended(CliError::Refused(failure)),
        };
    }
    if let Some(fault) = TlsFault::find(&status, End::Client) {
        return Attempt::Ended(CliError::Tls { address: address.to_string(), fault: Fault(Box::new(fault)) });
    }
    match status.code() {
        Code::Cancelled | Code::DeadlineExceeded => {
            let error = Met::Broken(format!("{address} took the call, and gave no answer in time"));
            Attempt::Again { leader: None, error }
        }
        Code::Unavailable | Code::Unknown | Code::Aborted => {
            Attempt::Again { leader: None, error: Met::Broken(innermost(&status)) }
        }
        _ => Attempt::Ended(CliError::NotAMaster { address: address.to_string(), source: Box::new(status) }),
    }
}

/// What an attempt met that may be tried again.
#[derive(Debug, thiserror::Error)]
enum Met {
    /// A master asked to try again.
    #[error("{0}: {1}")]
    Word(squall_types::Code, String),
    /// The connection broke, or there was none.
    #[error("{0}")]
    Broken(String),
}

impl Met {
    const fn is_word(&self) -> bool {
        matches!(self, Self::Word(..))
    }
}

/// What lies at the bottom of an error of the transport. What lies above only says that there is one.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    match inner.downcast_ref::<Status>() {
        Some(status) => status.message().to_owned(),
        None => inner.to_string(),
    }
}
