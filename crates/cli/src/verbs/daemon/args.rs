//! A daemon's configuration file, and a flag for each of its settings.

use std::marker::PhantomData;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches};
use squall_daemon::config::{Configured, Setting};

/// What the command line says of a daemon's configuration.
#[derive(Clone, Debug)]
pub struct DaemonArgs<C> {
    /// The file.
    pub(super) file: Option<PathBuf>,
    /// Keys of settings, and their values.
    pub(super) flags: Vec<(String, String)>,
    configured: PhantomData<fn() -> C>,
}

impl<C> Default for DaemonArgs<C> {
    fn default() -> Self {
        Self { file: None, flags: Vec::new(), configured: PhantomData }
    }
}

impl<C: Configured> DaemonArgs<C> {
    /// The arguments, but for the settings that whoever calls sets itself.
    pub(super) fn augment(command: Command, but: &[&str]) -> Command {
        let file = Arg::new("config").long("config").value_name("FILE").value_parser(clap::value_parser!(PathBuf));
        let command = command.arg(file.help("The configuration file, in TOML"));
        C::settings().iter().filter(|it| !but.contains(&it.key)).fold(command, |command, it| command.arg(arg(it)))
    }

    /// What they were given.
    pub(super) fn read(matches: &ArgMatches, but: &[&str]) -> Self {
        let given = |it: &Setting<C>| Some((it.key.to_owned(), matches.get_one::<String>(it.key)?.clone()));
        let flags = C::settings().iter().filter(|it| !but.contains(&it.key)).filter_map(given).collect();
        Self { file: matches.get_one::<PathBuf>("config").cloned(), flags, configured: PhantomData }
    }
}

fn arg<C: Configured>(setting: &Setting<C>) -> Arg {
    let help = setting.help.split_inclusive(". ").next().unwrap_or_default().trim_end().trim_end_matches('.');
    let arg = Arg::new(setting.key).long(setting.flag()).value_name("VALUE").action(ArgAction::Set);
    let arg = arg.help(help.to_owned()).help_heading("Settings, over the file and the environment");
    // `--insecure` alone says it all.
    if setting.kind == "true or false" { arg.num_args(0..=1).default_missing_value("true") } else { arg }
}

impl<C: Configured> clap::Args for DaemonArgs<C> {
    fn augment_args(command: Command) -> Command {
        Self::augment(command, &[])
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<C: Configured> FromArgMatches for DaemonArgs<C> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self::read(matches, &[]))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
