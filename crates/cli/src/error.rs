//! What ends a command otherwise than well, and what it says then.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use squall_daemon::certs::{CertError, MaterialError, TlsFault};
use squall_daemon::config::ConfigErrors;
use squall_master::NodeError;
use squall_master::offline::OfflineError;
use squall_proto::Failure;
use squall_types::{Code, codes};
use squall_worker::WorkerError;

use crate::client::SettingsError;
use crate::demo::DemoError;

/// What the process ends with. `docs/cli.md` has the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It was refused, or failed.
    Failed = 1,
    /// The command line, or the settings, are wrong.
    Usage = 2,
    /// No master answered, or not in time: for a change, what came of it isn't known.
    Unreachable = 3,
    /// What was waited for didn't come.
    NotYet = 4,
    /// Who calls isn't known, or may not.
    Denied = 5,
    /// `status --check`: it works, but not as it should.
    Amber = 6,
    /// `status --check`: it doesn't work.
    Red = 7,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command didn't do what it should.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The demo ended early.
    #[error(transparent)]
    Demo(#[from] DemoError),
    /// A daemon's configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// The client's settings are wrong.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Certificates can't be read.
    #[error(transparent)]
    Material(#[from] MaterialError),
    /// A certificate can't be made.
    #[error(transparent)]
    Cert(#[from] CertError),
    /// A master doesn't start, or failed.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// A cluster's next life isn't begun.
    #[error(transparent)]
    Offline(#[from] OfflineError),
    /// A worker doesn't start, or failed.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// A master said no.
    #[error("{}", .0.cause)]
    Refused(Failure),
    /// No master could be reached.
    #[error("no master answers at {tried}")]
    NoMaster {
        /// The addresses.
        tried: String,
        /// What the last attempt met.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// A connection wasn't agreed on.
    #[error("{address}: {fault}")]
    Tls {
        /// Which master.
        address: String,
        /// What is wrong.
        #[source]
        fault: Fault,
    },
    /// The time is over.
    #[error("no answer within {within}; {outcome}")]
    TimedOut {
        /// The deadline.
        within: String,
        /// What is known of what was asked for.
        outcome: &'static str,
        /// What the last attempt met.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// Something else answered than a master.
    #[error("{address} answers, but not as a master does")]
    NotAMaster {
        /// Who.
        address: String,
        /// What it said.
        #[source]
        source: Box<tonic::Status>,
    },
    /// A program doesn't describe its topology.
    #[error("{} doesn't describe a topology: {why}", program.display())]
    NotDescribed {
        /// Which program.
        program: PathBuf,
        /// What it did instead.
        why: String,
        /// What the system or the reader said.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// A file can't be read or written.
    #[error("can't {what} {}", path.display())]
    File {
        /// `read` or `write`.
        what: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file of a certificate is there already.
    #[error("{} is there already, and is never replaced", .0.display())]
    CertExists(PathBuf),
    /// A file that is to be made is there already.
    #[error("{} is there already, and is never replaced", .0.display())]
    Exists(PathBuf),
    /// Several packages begin with what was given as an id, or none does.
    #[error("{} an id that begins with {given:?}", Several(*.found))]
    NotOnePackage {
        /// What was given.
        given: String,
        /// How many there are.
        found: usize,
    },
    /// It didn't come in time.
    #[error("{what}")]
    NotYet {
        /// What isn't so yet.
        what: String,
        /// What to do next.
        next: String,
    },
    /// No error has this code.
    #[error("there is no error {0}")]
    NoSuchCode(String),
    /// Nobody can be told.
    #[error("can't write to standard output")]
    NoStdout(#[source] io::Error),
    /// The system refuses.
    #[error("the system refuses {what}")]
    System {
        /// What was needed.
        what: &'static str,
        /// What it said.
        source: io::Error,
    },
}

/// So many packages have something.
struct Several(usize);

impl std::fmt::Display for Several {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            0 => write!(f, "no package has"),
            found => write!(f, "{found} packages have"),
        }
    }
}

/// A fault of TLS, boxed for its size, that isn't said twice.
#[derive(Debug)]
pub struct Fault(pub Box<TlsFault>);

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

/// One thing to be said.
pub struct Said {
    /// Its code.
    pub code: Code,
    /// What happened.
    pub what: String,
    /// Why, one for each cause.
    pub causes: Vec<String>,
    /// What to do next.
    pub next: String,
}

impl CliError {
    /// What the process ends with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Config(_)
            | Self::Settings(_)
            | Self::Material(_)
            | Self::NoSuchCode(_)
            | Self::Demo(DemoError::Window(_)) => Exit::Usage,
            Self::NoMaster { .. } | Self::TimedOut { .. } | Self::NotAMaster { .. } | Self::Tls { .. } => {
                Exit::Unreachable
            }
            Self::NotYet { .. } => Exit::NotYet,
            Self::Refused(failure) => match failure.grpc {
                tonic::Code::Unauthenticated | tonic::Code::PermissionDenied => Exit::Denied,
                _ => Exit::Failed,
            },
            Self::Demo(_)
            | Self::Node(_)
            | Self::Offline(_)
            | Self::Worker(_)
            | Self::Cert(_)
            | Self::NotDescribed { .. }
            | Self::File { .. }
            | Self::CertExists(_)
            | Self::Exists(_)
            | Self::NotOnePackage { .. }
            | Self::NoStdout(_)
            | Self::System { .. } => Exit::Failed,
        }
    }

    /// Everything that has to be said of it.
    pub fn said(&self) -> Vec<Said> {
        match self {
            Self::Config(errors) => errors.iter().map(|error| say(error.code(), error, error.next_step())).collect(),
            Self::Tls { fault, .. } => {
                let causes = fault.source().map(ToString::to_string).into_iter().collect();
                vec![Said { code: self.code(), what: self.to_string(), causes, next: self.next() }]
            }
            _ => vec![say(self.code(), self, self.next())],
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Demo(error) => error.code(),
            Self::Node(error) => error.code(),
            Self::Offline(error) => error.code(),
            Self::Worker(error) => error.code(),
            Self::Config(errors) => {
                errors.iter().next().map_or(codes::CONFIG_BROKEN, squall_daemon::config::ConfigError::code)
            }
            Self::Settings(_) => codes::CLIENT_SETTINGS,
            Self::Material(error) => error.code(),
            Self::Cert(error) => error.code(),
            Self::CertExists(_) => codes::CERT_NOT_MADE,
            Self::Refused(failure) => failure.code,
            Self::NoMaster { .. } => codes::NO_MASTER,
            Self::Tls { fault, .. } => fault.0.code(),
            Self::TimedOut { .. } => codes::TIMED_OUT,
            Self::NotAMaster { .. } => codes::NOT_A_MASTER,
            Self::NotDescribed { .. } => codes::NOT_DESCRIBED,
            Self::File { .. } | Self::Exists(_) => codes::COMMAND_FILE,
            Self::NotOnePackage { .. } => codes::NOT_ONE_PACKAGE,
            Self::NotYet { .. } => codes::NOT_YET,
            Self::NoSuchCode(_) => codes::NO_SUCH_CODE,
            Self::NoStdout(_) => codes::NO_STDOUT,
            Self::System { .. } => codes::COMMAND_SYSTEM,
        }
    }

    fn next(&self) -> String {
        match self {
            Self::Demo(error) => format!("`squall explain {}` says more", error.code()),
            Self::Node(error) => error.next_step(),
            Self::Offline(error) => error.next_step(),
            Self::Worker(error) => error.next_step().to_owned(),
            Self::Config(errors) => {
                errors.iter().next().map(squall_daemon::config::ConfigError::next_step).unwrap_or_default()
            }
            Self::Settings(error) => error.next_step(),
            Self::Material(error) => error.next_step().to_owned(),
            Self::Cert(error) => error.next_step().to_owned(),
            Self::CertExists(_) => "remove it yourself if nobody uses it, or take another --name or --dir".to_owned(),
            Self::Refused(failure) => failure.next_step.clone(),
            Self::NoMaster { .. } => "start one with `squall up`, or name one with --connect".to_owned(),
            Self::Tls { fault, .. } => fault.0.next_step().to_owned(),
            Self::TimedOut { .. } => {
                "`squall status` says how the cluster does; raise --timeout if it is only slow".to_owned()
            }
            Self::NotAMaster { .. } => {
                "look what listens there; masters speak gRPC on port 7400 unless told otherwise".to_owned()
            }
            Self::NotDescribed { .. } => "give the binary of a topology, a program that calls squall::main; --description takes a description alone".to_owned(),
            Self::File { .. } => "check the name, who may use it, and the room on that disk".to_owned(),
            Self::Exists(_) => "name another file, or remove that one yourself".to_owned(),
            Self::NotOnePackage { .. } => "`squall -o wide blobs list` has the ids; give more digits of one".to_owned(),
            Self::NotYet { next, .. } => next.clone(),
            Self::NoSuchCode(_) => "`squall explain` lists all codes".to_owned(),
            Self::NoStdout(_) => "look at where stdout leads to: a full disk, a closed pipe".to_owned(),
            Self::System { .. } => {
                "look at the limits of this user (`ulimit -a`), and into the system's log".to_owned()
            }
        }
    }
}

fn say(code: Code, error: &dyn Error, next: impl Into<String>) -> Said {
    let mut causes = Vec::new();
    let mut source = error.source();
    while let Some(error) = source {
        causes.push(error.to_string());
        source = error.source();
    }
    causes.dedup();
    Said { code, what: error.to_string(), causes, next: next.into() }
}

impl Said {
    /// As people read it.
    pub fn text(&self) -> String {
        let causes: String = self.causes.iter().map(|cause| format!("cause: {cause}\n")).collect();
        format!("error[{}]: {}\n{causes}next: {}\n", self.code, self.what, self.next)
    }

    /// As machines do.
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "error": { "code": self.code.to_string(), "what": self.what, "causes": self.causes, "next_step": self.next }
        })
    }
}
