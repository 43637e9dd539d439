//! One call, tried until it is answered or its time is over.

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use squall_master::certs::{self, End, TlsFault};
use squall_master::config::HostPort;
use squall_proto::{Failure, v1};
use squall_types::{Retry, duration};
use tokio::time::Instant;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::connect::{Bearer, Link, connect};
use super::ids::request_id;
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
        error: Box<dyn Error + Send + Sync>,
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
        self.call("nothing was changed", call).await
    }

    /// Changes something. The same request, request id included, is sent with each attempt.
    ///
    /// # Errors
    /// If a master refuses, or none answers: then it may have been done.
    pub async fn change<T, F: Future<Output = Result<tonic::Response<T>, Status>>>(
        &mut self,
        call: impl Fn(Link) -> F,
    ) -> Result<T, CliError> {
        self.call("it may have been done, or may still be", call).await
    }

    async fn call<T, F: Future<Output = Result<tonic::Response<T>, Status>>>(
        &mut self,
        outcome: &'static str,
        call: impl Fn(Link) -> F,
    ) -> Result<T, CliError> {
        let start = Instant::now();
        let (mut pause, mut reached) = (FIRST_PAUSE, false);
        loop {
            let left = self.timeout.saturating_sub(start.elapsed());
            let attempt = tokio::time::timeout(left, self.attempt(&call, &mut reached)).await;
            let (leader, error) = match attempt {
                Ok(Attempt::Answered(answer)) => return Ok(answer),
                Ok(Attempt::Ended(error)) => return Err(error),
                Ok(Attempt::Again { leader, error }) => (leader, Some(error)),
                Err(_) => (None, None),
            };
            let over = start.elapsed() + pause >= self.timeout;
            if !reached && (over || start.elapsed() >= PATIENCE.min(self.timeout)) {
                let tried: Vec<_> = self.addresses.iter().map(ToString::to_string).collect();
                return Err(CliError::NoMaster { tried: tried.join(", "), source: error });
            }
            if over {
                return Err(CliError::TimedOut { within: duration::format(self.timeout), outcome, source: error });
            }
            self.turn(leader);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn attempt<T, F: Future<Output = Result<tonic::Response<T>, Status>>>(
        &mut self,
        call: impl Fn(Link) -> F,
        reached: &mut bool,
    ) -> Attempt<T> {
        let (address, channel) = match self.connected().await {
            Ok(connected) => connected,
            Err((address, error)) => return unreachable(address, error),
        };
        match call(Link::new(channel, self.bearer.clone())).await {
            Ok(answer) => Attempt::Answered(answer.into_inner()),
            Err(status) => judge(&address, status, reached),
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
        _ => Attempt::Again { leader: None, error: Box::new(error) },
    }
}

fn judge<T>(address: &HostPort, status: Status, reached: &mut bool) -> Attempt<T> {
    if let Some(failure) = Failure::from_status(&status) {
        *reached = true;
        let leader = failure.leader.as_ref().and_then(|leader| leader.parse().ok());
        return match failure.retry {
            Retry::Later => Attempt::Again { leader, error: Box::new(Later(failure.code, failure.cause)) },
            Retry::No => Attempt::Ended(CliError::Refused(failure)),
        };
    }
    if let Some(fault) = TlsFault::find(&status, End::Client) {
        return Attempt::Ended(CliError::Tls { address: address.to_string(), fault: Fault(Box::new(fault)) });
    }
    match status.code() {
        Code::Unavailable | Code::Cancelled | Code::Unknown | Code::Aborted | Code::DeadlineExceeded => {
            Attempt::Again { leader: None, error: Box::new(status) }
        }
        _ => Attempt::Ended(CliError::NotAMaster { address: address.to_string(), source: Box::new(status) }),
    }
}

/// A master asked to try again.
#[derive(Debug, thiserror::Error)]
#[error("{0}: {1}")]
struct Later(squall_types::Code, String);
