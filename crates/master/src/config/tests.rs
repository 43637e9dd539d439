use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn layers(file: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> Layers {
    let owned = |pairs: &[(&str, &str)]| pairs.iter().map(|&(a, b)| (a.to_owned(), b.to_owned())).collect();
    Layers { file: Some(("m.toml".into(), file.to_owned())), environment: owned(environment), flags: owned(flags) }
}

fn loaded(file: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> Effective<MasterConfig> {
    load(&layers(file, environment, flags), Some("/data".into())).unwrap()
}

/// Each error as an operator reads it: what, why, what next.
fn refused(file: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> Vec<String> {
    let errors = load::<MasterConfig>(&layers(file, environment, flags), Some("/data".into())).unwrap_err();
    let said = |error: &ConfigError| {
        let source = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
        format!("{} {error}{source}; {}", error.code(), error.next_step())
    };
    errors.iter().map(said).collect()
}

fn in_project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn held(path: &str, text: &str) {
    let path = in_project(path);
    if std::env::var_os("SQUALL_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(written, text, "{} is not what the code says; write it with SQUALL_WRITE_GOLDEN=1", path.display());
}

#[test]
fn the_commented_file_is_the_defaults() {
    held("config/master.toml", &sample::<MasterConfig>());
    assert_eq!(loaded(&sample::<MasterConfig>(), &[], &[]).config, MasterConfig::new("/data"));
    let keys: Vec<_> = loaded(&sample::<MasterConfig>(), &[], &[])
        .shown()
        .filter(|it| it.origin == Origin::Default)
        .map(|it| it.key)
        .collect();
    assert_eq!(keys, ["name", "advertise", "data_dir", "tls.cert", "tls.key", "tls.ca", "tokens.required"]);
}

#[test]
fn every_example_in_the_commented_file_is_taken() {
    let uncommented: String = sample::<MasterConfig>().lines().map(|line| uncomment(line) + "\n").collect();
    let effective = loaded(&uncommented, &[], &[]);
    assert!(effective.shown().all(|shown| shown.origin != Origin::Default));
    assert_eq!(effective.config.data_dir(), Path::new("/var/lib/squall/master"));
}

/// `# key = value` without its `#`.
fn uncomment(line: &str) -> String {
    let setting =
        line.strip_prefix("# ").filter(|rest| rest.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')));
    setting.unwrap_or(line).to_owned()
}

#[test]
fn the_page_is_what_the_code_says() {
    let page = std::fs::read_to_string(in_project("docs/configuration.md")).unwrap();
    let (before, after) = page.split_once("## Settings of a master\n").unwrap();
    let after = after.split_once("\n## ").map_or("", |(_, after)| after);
    let after = if after.is_empty() { String::new() } else { format!("\n## {after}") };
    held("docs/configuration.md", &format!("{before}{}{after}", section::<MasterConfig>()));
}

#[test]
fn a_later_layer_wins_and_each_value_knows_where_it_comes_from() {
    let file = "listen = \"127.0.0.1:1\"\n[log]\nformat = \"json\"\nlevel = \"warn\"\n";
    let effective =
        loaded(file, &[("SQUALL_LISTEN", "127.0.0.1:2"), ("SQUALL_LOG_LEVEL", "debug")], &[("listen", "127.0.0.1:3")]);
    let shown = |key| {
        effective
            .shown()
            .find(|shown| shown.key == key)
            .map(|it| format!("{} ({})", it.value.unwrap(), it.origin))
            .unwrap()
    };
    assert_eq!(shown("listen"), "\"127.0.0.1:3\" (--listen)");
    assert_eq!(shown("log.format"), "\"json\" (m.toml:3)");
    assert_eq!(shown("log.level"), "\"debug\" (SQUALL_LOG_LEVEL)");
    assert_eq!(shown("limits.message"), "\"8MiB\" (default)");
    assert_eq!((effective.config.listen.port(), effective.config.log.level), (3, LogLevel::Debug));
}

#[test]
fn values_are_typed_in_every_layer() {
    let file = "masters = [\"a:7400\", \"127.0.0.1:7400\"]\n[workers]\nheartbeat = \"100ms\"\n[limits]\nstreams = 16\npackage = \"64MiB\"\n";
    let config = loaded(file, &[("SQUALL_LIMITS_IN_FLIGHT", "9"), ("SQUALL_TOKENS_REQUIRED", "true")], &[]).config;
    assert_eq!(config.masters.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a:7400", "127.0.0.1:7400"]);
    assert_eq!(config.workers.heartbeat, Duration::from_millis(100));
    assert_eq!((config.limits.package, config.limits.streams, config.limits.in_flight), (Size::mib(64), 16, 9));
    assert!(config.wants_tokens());
    let listed = loaded("", &[("SQUALL_MASTERS", "a:1, 127.0.0.1:7400")], &[]).config.masters;
    assert_eq!(listed.len(), 2);
    assert_eq!(loaded("", &[("SQUALL_HTTP_LISTEN", "")], &[]).config.http.listen, None);
}

#[test]
fn an_unknown_setting_is_refused_with_the_nearest_in_every_layer() {
    assert_eq!(
        refused("\nlisen = \"127.0.0.1:1\"\n", &[], &[]),
        ["SQ6003 m.toml:2: there is no setting lisen; did you mean listen?"]
    );
    assert_eq!(
        refused("[log]\nformt = \"json\"\n", &[], &[]),
        ["SQ6003 m.toml:2: there is no setting log.formt; did you mean log.format?"]
    );
    assert_eq!(
        refused("", &[("SQUALL_LISTN", "127.0.0.1:1")], &[]),
        ["SQ6003 SQUALL_LISTN: there is no setting SQUALL_LISTN; did you mean SQUALL_LISTEN?"]
    );
    assert_eq!(
        refused("", &[], &[("log.formatt", "json")]),
        ["SQ6003 --log-formatt: there is no setting log.formatt; did you mean log.format?"]
    );
    assert_eq!(
        refused("[quux]\na = 1\n", &[], &[]),
        ["SQ6003 m.toml:1: there is no setting quux; `squall config show` lists all settings"]
    );
    assert_eq!(
        refused("log = \"json\"\n", &[], &[]),
        ["SQ6003 m.toml:1: there is no setting log; did you mean log.format?"]
    );
}

#[test]
fn variables_of_others_are_let_be() {
    let others = [
        ("SQUALL_PORT", "tcp://10.0.0.1:7400"),
        ("SQUALL_SERVICE_HOST", "10.0.0.1"),
        ("SQUALL_TOKEN", "x"),
        ("PATH", "/bin"),
    ];
    assert_eq!(loaded("", &others, &[]).config, MasterConfig::new("/data"));
}

#[test]
fn a_value_of_the_wrong_kind_is_refused_with_what_would_be_right() {
    for (file, hint) in [
        ("listen = 7400\n", "an IP address and a port is wanted here"),
        ("listen = \"localhost\"\n", "as in 127.0.0.1:7400"),
        ("insecure = \"true\"\n", "true or false is wanted here"),
        ("masters = \"a:1\"\n", "a list of hosts with ports is wanted here"),
        ("masters = [\"a\"]\n", "\"a\" is no HOST:PORT"),
        ("[workers]\nheartbeat = 500\n", "a duration such as \"500ms\" is wanted here"),
        ("[workers]\nheartbeat = \"500\"\n", "as in 30s or 1500ms"),
        ("[limits]\nmessage = \"8MB\"\n", "as in 64MiB"),
        ("[limits]\nstreams = 0\n", "a whole number from 1"),
        ("[limits]\nstreams = 99999999999999999999\n", "a whole number from 1"),
        ("[log]\nformat = \"xml\"\n", "it is one of `text`, `json`"),
        ("name = \"a b\"\n", "master name \"a b\" is not legal"),
    ] {
        let errors = refused(file, &[], &[]);
        assert!(
            errors.len() == 1 && errors[0].starts_with("SQ6004 m.toml:") && errors[0].contains(hint),
            "{file}: {errors:?}"
        );
    }
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let errors = refused("listn = 1\n[log]\nformat = 1\n", &[], &[("limits.streams", "many")]);
    assert_eq!(errors.len(), 3, "{errors:?}");
}

#[test]
fn a_file_that_is_no_toml_is_refused_with_the_line() {
    let errors = refused("listen = \"127.0.0.1:1\"\nname = \n", &[], &[]);
    assert!(errors[0].starts_with("SQ6002 m.toml:2: this is no TOML"), "{errors:?}");
    assert!(refused("name = \"a\"\nname = \"b\"\n", &[], &[])[0].starts_with("SQ6002 m.toml:2"));
}

#[test]
fn off_loopback_needs_tls_and_tokens_or_an_explicit_word() {
    let open = "listen = \"0.0.0.0:7400\"\nadvertise = \"a:7400\"\n";
    let tls = "[tls]\ncert = \"c\"\nkey = \"k\"\nca = \"a\"\n";
    assert!(
        refused(open, &[], &[])[0]
            .starts_with("SQ6006 listen = \"0.0.0.0:7400\" can be reached from other machines, but there is no TLS")
    );
    assert!(refused("[http]\nlisten = \"10.0.0.1:1\"\n", &[], &[])[0].starts_with("SQ6006 http.listen"));
    let tokenless = format!("{open}{tls}[tokens]\nrequired = false\n");
    assert!(refused(&tokenless, &[], &[])[0].contains("tokens.required = false"));

    let safe = loaded(&format!("{open}{tls}"), &[], &[]).config;
    assert!(safe.wants_tokens() && safe.tls_files().is_some() && safe.warnings().is_empty());
    let unsafe_ = loaded(open, &[("SQUALL_INSECURE", "true")], &[]).config;
    assert!(!unsafe_.wants_tokens());
    assert_eq!(unsafe_.warnings(), [Warning::Insecure(unsafe_.listen)]);
}

#[test]
fn settings_that_do_not_go_together_are_refused() {
    for (file, hint) in [
        ("listen = \"0.0.0.0:1\"\ninsecure = true\n", "set advertise"),
        ("[tls]\ncert = \"c\"\nca = \"a\"\n", "tls.key is missing"),
        ("[workers]\ndead_after = \"1s\"\n", "less than 3 × workers.heartbeat (500ms)"),
        ("[workers]\nheartbeat = \"1ms\"\n", "less than 10ms"),
        ("[limits]\nmessage = \"1MiB\"\n", "less than 2MiB"),
        ("masters = [\"a:1\", \"127.0.0.1:7400\", \"a:1\"]\n", "masters has a:1 twice"),
        ("masters = [\"a:1\"]\n", "own address, 127.0.0.1:7400"),
    ] {
        let errors = refused(file, &[], &[]);
        assert!(
            errors.len() == 1 && errors[0].starts_with("SQ6005 ") && errors[0].contains(hint),
            "{file}: {errors:?}"
        );
    }
}

#[test]
fn data_goes_where_the_system_the_user_or_the_service_keeps_it() {
    let place = |root, variables: &[(&str, &str)]| {
        let lookup = |name: &str| variables.iter().find(|(it, _)| *it == name).map(|(_, value)| (*value).to_owned());
        default_data_dir("master", root, lookup).map(|path| path.display().to_string())
    };
    assert_eq!(place(false, &[("HOME", "/home/ann")]).unwrap(), "/home/ann/.local/share/squall/master");
    assert_eq!(place(false, &[("HOME", "/home/ann"), ("XDG_DATA_HOME", "/d")]).unwrap(), "/d/squall/master");
    assert_eq!(place(true, &[("HOME", "/root")]).unwrap(), "/var/lib/squall/master");
    assert_eq!(place(true, &[("STATE_DIRECTORY", "/var/lib/squall-a")]).unwrap(), "/var/lib/squall-a");
    assert_eq!(place(false, &[("HOME", "")]), None);

    let homeless = load::<MasterConfig>(&Layers::default(), None).unwrap_err();
    assert_eq!(homeless.iter().map(|error| error.code().to_string()).collect::<Vec<_>>(), ["SQ6007"]);
    let told = Layers { flags: vec![("data_dir".into(), "/d".into())], ..Layers::default() };
    assert_eq!(load::<MasterConfig>(&told, None).unwrap().config.data_dir(), Path::new("/d"));
}

proptest! {
    #[test]
    fn no_file_and_no_word_panics_the_loader(file in "[a-z._\\[\\]=\" \n0-9#]{0,80}|\\PC{0,60}", word: String) {
        let keys = MasterConfig::settings().iter().map(|setting| (setting.key.to_owned(), word.clone())).collect();
        let _ = load::<MasterConfig>(&Layers { file: Some(("m".into(), file)), environment: Vec::new(), flags: keys }, None);
    }
}
