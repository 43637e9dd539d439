//! The settings as files for people: the commented `config/ROLE.toml`, and a section of `docs/configuration.md`.

use std::fmt::Write as _;

use super::settings::{Configured, Setting};

const WIDTH: usize = 110;

const SAMPLE: &str = "\
Each value here is the default; a setting with a `#` before it is unset unless given.
# Over this file goes the environment (SQUALL_…), over that the command line. `squall config check FILE` says what is wrong with a file,
# `squall config show --effective` what is in force and why. Durations are written as \"500ms\", \"3s\", \"2m\"; sizes as \"64KiB\", \"8MiB\".
";

const TABLE: &str = "\
| Setting | Default | Takes | Environment, flag |
|---|---|---|---|
";

/// `config/ROLE.toml`: every setting with its default, and what it is for.
pub fn sample<C: Configured>() -> String {
    let mut text = format!("# A {}'s configuration. {SAMPLE}", C::ROLE);
    let mut table = "";
    for setting in C::settings() {
        let (inside, name) = setting.key.split_once('.').unwrap_or(("", setting.key));
        if inside != table {
            push(&mut text, format_args!("\n[{inside}]"));
            table = inside;
        }
        text.push('\n');
        comment(&mut text, setting.help);
        match (default(setting), setting.example) {
            (Some(value), _) => push(&mut text, format_args!("{name} = {value}\n")),
            (None, example) => push(&mut text, format_args!("# {name} = {}\n", example.unwrap_or("\"\""))),
        }
    }
    text
}

/// The role's section of `docs/configuration.md`, from its heading on.
pub fn section<C: Configured>() -> String {
    let mut text = format!("## Settings of a {}\n\n{TABLE}", C::ROLE);
    for setting in C::settings() {
        let default = default(setting).map_or_else(|| "unset".to_owned(), |value| format!("`{value}`"));
        let (key, kind, variable, flag) = (setting.key, setting.kind, setting.variable(), setting.flag());
        push(
            &mut text,
            format_args!(
                "| [`{key}`](#{}-{}) | {default} | {kind} | `{variable}`, `--{flag}` |\n",
                C::ROLE,
                anchor(key)
            ),
        );
    }
    for setting in C::settings() {
        push(&mut text, format_args!("\n### {}: `{}`\n\n{}\n", C::ROLE, setting.key, setting.help));
    }
    text
}

/// What it is unless it is set; none if that depends on the machine.
fn default<C: Configured>(setting: &Setting<C>) -> Option<String> {
    (setting.show)(&C::defaults(std::path::PathBuf::new())).filter(|value| value != "\"\"")
}

fn anchor(key: &str) -> String {
    key.replace('.', "")
}

fn comment(text: &mut String, words: &str) {
    let mut length = 0;
    for word in words.split(' ') {
        if length > 0 && length + 1 + word.len() > WIDTH {
            text.push('\n');
            length = 0;
        }
        text.push_str(if length == 0 { "# " } else { " " });
        text.push_str(word);
        length += 1 + word.len();
    }
    text.push('\n');
}

fn push(text: &mut String, what: std::fmt::Arguments<'_>) {
    text.write_fmt(what).expect("a string takes all text");
}
