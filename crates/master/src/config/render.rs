//! The settings as files for people: the commented `config/master.toml`, and the page `docs/configuration.md`.

use std::fmt::Write as _;

use super::model::MasterConfig;
use super::settings::{SETTINGS, Setting};

const WIDTH: usize = 110;

const SAMPLE: &str = "\
# A master's configuration. Each value here is the default; a setting with a `#` before it is unset unless given.
# Over this file goes the environment (SQUALL_…), over that the command line. `squall config check FILE` says what is wrong with a file,
# `squall config show --effective` what is in force and why. Durations are written as \"500ms\", \"3s\", \"2m\"; sizes as \"64KiB\", \"8MiB\".
";

const PAGE: &str = "\
# Configuration

A master takes its settings from four layers; the later wins:

1. the defaults,
2. a file in TOML: `squall master --config FILE` (a commented one with all defaults is `config/master.toml`),
3. the environment: `SQUALL_` and the key in capitals, with `_` for each dot,
4. the command line: `--` and the key, with `-` for each dot and `_`.

A setting that isn't known is refused, in every layer, with the nearest that is. Durations are a whole number with a unit (`ns`, `us`,
`ms`, `s`, `m`, `h`), sizes one with `B`, `KiB`, `MiB`, `GiB` or `TiB`. In the environment and on the command line all values are plain text,
lists have commas between their items, and an empty text unsets what may be unset.

```sh
squall config check config/master.toml     # what is wrong with this file, all of it
squall config show --effective             # every value in force, and where it comes from
```

Off loopback a master wants TLS and tokens, or an explicit `insecure = true`; [security](security.md) says what each protects from whom.

## Settings of a master

| Setting | Default | Takes | Environment, flag |
|---|---|---|---|
";

/// `config/master.toml`: every setting with its default, and what it is for.
pub fn sample() -> String {
    let (mut text, mut table) = (SAMPLE.to_owned(), "");
    for setting in SETTINGS.iter() {
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

/// `docs/configuration.md`.
pub fn page() -> String {
    let mut text = PAGE.to_owned();
    for setting in SETTINGS.iter() {
        let default = default(setting).map_or_else(|| "unset".to_owned(), |value| format!("`{value}`"));
        let (key, kind, variable, flag) = (setting.key, setting.kind, setting.variable(), setting.flag());
        push(
            &mut text,
            format_args!("| [`{key}`](#{}) | {default} | {kind} | `{variable}`, `--{flag}` |\n", anchor(key)),
        );
    }
    for setting in SETTINGS.iter() {
        push(&mut text, format_args!("\n### `{}`\n\n{}\n", setting.key, setting.help));
    }
    text
}

/// What it is unless it is set; none if that depends on the machine.
fn default(setting: &Setting) -> Option<String> {
    (setting.show)(&MasterConfig::new("")).filter(|value| value != "\"\"")
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
