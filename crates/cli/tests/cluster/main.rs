//! The verbs against a real master: `squall up` in a process of its own, and the binary as an operator calls it.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod packages;
mod proxy;
mod support;
mod three;
mod topologies;

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use support::{Up, ran, squall};

#[test]
fn an_empty_cluster_is_shown_as_it_is() {
    let up = Up::start(&[]);
    let status = up.table("status");
    assert!(status.starts_with("green: cluster c-") && status.contains(", led by m-1\n"), "{status}");
    assert!(
        status.ends_with(
            "masters    1 of 1 alive\nworkers    1 of 1 alive\nexecutors  0 of 0 placed, topologies 0\nslots      0 of 0 running\n"
        ),
        "{status}"
    );
    assert_eq!(up.table("topologies"), "no topologies; `squall submit BINARY` brings one\n");
    assert_eq!(up.table("blobs list"), "no packages\n");
    assert_eq!(up.table("tokens list"), "no tokens; `squall tokens create USER --role ROLE` makes one\n");
    let masters = up.json("masters list");
    assert_eq!((&masters["masters"][0]["role"], &masters["masters"][0]["name"]), (&"leader".into(), &"m-1".into()));
    assert_eq!(up.run("status --check").0, 0);
}

#[test]
fn a_refusal_has_its_code_a_next_step_and_an_exit_code_in_both_forms() {
    let up = Up::start(&[]);
    let (code, stdout, stderr) = up.run("describe nope");
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(stderr.starts_with("error[SQ5001]: there is no topology nope\nnext: "), "{stderr}");
    let (code, _, stderr) = up.run("-o json kill nope");
    let said: Value = serde_json::from_str(&stderr).unwrap();
    assert_eq!((code, &said["error"]["code"]), (1, &"SQ5001".into()));
}

#[test]
fn tokens_are_made_listed_and_revoked_and_the_events_tell() {
    let up = Up::start(&[]);
    let (code, secret, talk) = up.run("tokens create ann --role operate");
    assert!(code == 0 && secret.starts_with("sqt_") && secret.len() == 69, "{secret}");
    assert!(talk.contains("of ann; keep it now") && !talk.contains(secret.trim()), "{talk}");
    let tokens = up.json("tokens list");
    let id = tokens["tokens"][0]["id"].as_str().unwrap();
    assert_eq!((&tokens["tokens"][0]["user"], &tokens["tokens"][0]["role"]), (&"ann".into(), &"operate".into()));
    // Where a token is shown it counts, though none is wanted here.
    assert_eq!(up.run_with(&["--token", secret.trim()], "tokens list").0, 5);
    assert_eq!(up.run(&format!("tokens revoke {id}")).0, 0);
    let (code, _, stderr) = up.run_with(&["--token", secret.trim()], "status");
    assert!(code == 5 && stderr.contains("SQ6202"), "{stderr}");
}

#[test]
fn a_package_comes_back_as_it_went() {
    let up = Up::start(&[]);
    std::fs::write(up.dir.path().join("package"), "some bytes").unwrap();
    let put = up.json("blobs put package");
    let id = put["id"].as_str().unwrap();
    assert_eq!(up.run(&format!("blobs get {} again", &id[..12])).0, 0);
    assert_eq!(std::fs::read_to_string(up.dir.path().join("again")).unwrap(), "some bytes");
    let (code, _, stderr) = up.run(&format!("blobs get {id} again"));
    assert!(code == 1 && stderr.contains("SQ7005"), "{stderr}");
    assert_eq!(up.run("masters backup state.bin").0, 0);
}

#[test]
fn a_cluster_goes_on_from_its_disk_or_from_a_backup_in_a_new_epoch() {
    let listen = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let up = Up::start(&["--listen", &listen]);
    assert_eq!(up.run("tokens create ann").0, 0);
    assert_eq!(up.run("masters backup state.bin").0, 0);
    assert_eq!(up.run("tokens create bob").0, 0);
    let at = ["--name", "m-1", "--listen", &listen, "--data-dir"];
    let offline = |verb: &[&str], data: &str, dir: &Path| {
        ran(squall().args(["masters"]).args(verb).args(at).arg(dir.join(data)).current_dir(dir))
    };
    let (code, stdout, stderr) = offline(&["recover"], "data/master", up.dir.path());
    assert!((code, stdout.as_str()) == (1, "") && stderr.starts_with("error[SQ4027]: another process"), "{stderr}");

    let dir = up.ended();
    let (code, stdout, stderr) = offline(&["recover"], "data/master", dir.path());
    assert!(code == 0 && stderr == "nothing was changed; to do it: the same with --force\n", "{stderr}");
    assert!(stdout.contains(", tokens 2, packages 0\n"), "{stdout}");
    assert!(stdout.ends_with("\n\nit has no other members\n"), "{stdout}");
    let (code, stdout, _) = offline(&["recover", "--force"], "data/master", dir.path());
    assert!(code == 0 && stdout.contains(&format!(", with m-1 at {listen} as its one master\n")), "{stdout}");
    let (code, _, stderr) = offline(&["restore", "state.bin"], "data/master", dir.path());
    assert!(code == 1 && stderr.starts_with("error[SQ6522]: "), "{stderr}");
    let (code, stdout, stderr) = offline(&["restore", "state.bin"], "new/master", dir.path());
    assert!(code == 0 && stdout.contains("tokens 1, ") && stderr.starts_with("next: start this master; "), "{stdout}");
    let (code, _, stderr) = offline(&["restore", "nowhere.bin"], "other/master", dir.path());
    assert!(code == 1 && stderr.starts_with("error[SQ7005]: "), "{stderr}");

    for (data, tokens) in [("data", 2), ("new", 1)] {
        let path = dir.path().join(data);
        let up = Up::start(&["--listen", &listen, "--data-dir", path.to_str().unwrap()]);
        assert_eq!(up.json("tokens list")["tokens"].as_array().unwrap().len(), tokens, "{data}");
        assert!(up.json("status")["epoch"].as_u64().unwrap() > 1_000_000_000, "{data}");
    }
}

#[test]
fn nobody_there_is_said_soon_and_with_its_own_exit_code() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let (code, stdout, stderr) = ran(squall().args(["--connect", &address, "status"]));
    assert_eq!((code, stdout.as_str()), (3, ""));
    assert!(stderr.starts_with(&format!("error[SQ7001]: no master answers at {address}\n")), "{stderr}");
}

#[test]
fn with_tls_a_certificate_or_a_token_opens_and_everything_else_says_why_not() {
    let dir = tempfile::tempdir().unwrap();
    let certs = |line: &str| ran(squall().arg("certs").args(line.split(' ')).current_dir(dir.path()));
    assert_eq!(certs("init").0, 0);
    assert_eq!(certs("issue master --name m-1 --host 127.0.0.1").0, 0);
    assert_eq!(certs("issue user --name ann --role admin").0, 0);
    let (code, _, stderr) = certs("issue user --name ann");
    assert!(code == 1 && stderr.contains("error[SQ6111]: certs/ann.crt is there already"), "{stderr}");

    let at = |name: &str| dir.path().join("certs").join(name).display().to_string();
    let (cert, key, ca) = (at("m-1.crt"), at("m-1.key"), at("ca.crt"));
    let up = Up::start(&["--tls-cert", &cert, "--tls-key", &key, "--tls-ca", &ca, "--tokens-required"]);
    let (ann, ann_key) = (at("ann.crt"), at("ann.key"));
    let by_cert = ["--ca", &ca, "--cert", &ann, "--key", &ann_key];
    let (code, secret, stderr) = up.run_with(&by_cert, "tokens create bob");
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(up.run_with(&["--ca", &ca, "--token", secret.trim()], "status").0, 0);

    for (before, exit, hint) in
        [(&["--ca", &ca][..], 5, "SQ6201"), (&["--ca", &ca, "--token", secret.trim()], 5, "SQ6203"), (&[], 3, "SQ6107")]
    {
        let (code, _, stderr) = up.run_with(before, "tokens list");
        assert!(code == exit && stderr.contains(hint), "{before:?}: {code} {stderr}");
    }
    let plain = Up::start(&[]);
    let (code, _, stderr) = plain.run_with(&by_cert, "status");
    assert!(code == 3 && stderr.contains("SQ6108"), "{stderr}");
}

#[test]
fn a_configuration_is_checked_and_shown_with_where_each_value_comes_from() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("m.toml");
    std::fs::write(&file, "lisen = \"127.0.0.1:1\"\n").unwrap();
    let check = |file: &Path| ran(squall().args(["config", "check"]).arg(file));
    let (code, _, stderr) = check(&file);
    assert!(code == 2 && stderr.contains("error[SQ6003]") && stderr.contains("next: did you mean listen?"), "{stderr}");
    std::fs::write(&file, "[log]\nformat = \"json\"\n").unwrap();
    assert_eq!(check(&file).0, 0);

    let mut command = squall();
    command
        .env("SQUALL_LOG_LEVEL", "warn")
        .args(["-o", "json", "config", "show", "--effective", "--config"])
        .arg(&file);
    let (code, stdout, _) = ran(command.args(["--limits-streams", "9"]));
    let shown: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &shown["log.level"]["from"]), (0, &"SQUALL_LOG_LEVEL".into()));
    assert_eq!(
        (&shown["limits.streams"]["value"], &shown["limits.streams"]["from"]),
        (&9.into(), &"--limits-streams".into())
    );
    assert!(shown["log.format"]["from"].as_str().unwrap().ends_with("m.toml:2"));
    let (_, sample, _) = ran(squall().args(["config", "show"]));
    assert_eq!(sample, include_str!("../../../../config/master.toml"));
}

#[test]
fn error_pages_and_completions_are_in_the_binary() {
    let (code, page, _) = ran(squall().args(["explain", "sq6006"]));
    assert_eq!((code, page.as_str()), (0, include_str!("../../../../docs/errors/SQ6006.md")));
    let (code, _, stderr) = ran(squall().args(["explain", "SQ9999"]));
    assert!(code == 2 && stderr.starts_with("error[SQ7007]"), "{stderr}");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(ran(squall().args(["completions", shell])).1.contains("rebalance"), "{shell}");
    }
    assert_eq!(ran(squall().arg("sumbit")).0, 2);
}

/// A master that may write no file longer than so many KiB, as on a disk that is full: its exit code, and what it said.
fn on_a_full_disk(kib: u32, dir: &Path) -> (i32, String) {
    let mut command = Command::new("sh");
    // POSIX counts in blocks of 512 bytes; a limit that is met is an error, and no signal.
    command.args(["-c", &format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", kib * 2)]);
    command.arg(env!("CARGO_BIN_EXE_squall")).args([
        "master",
        "--listen",
        "127.0.0.1:0",
        "--http-listen",
        "",
        "--data-dir",
    ]);
    let (code, _, stderr) = ran(command.arg(dir).env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null()));
    (code, stderr)
}

#[test]
fn a_master_on_a_full_disk_or_on_one_that_it_may_not_write_to_says_so_and_ends() {
    let dir = tempfile::tempdir().unwrap();
    let (code, stderr) = on_a_full_disk(64, dir.path());
    assert!(code == 1 && stderr.contains("error[SQ4025]: "), "{code} {stderr}");
    assert!(stderr.contains("the disk is full") && stderr.contains("next: make room on the disk"), "{stderr}");

    let closed = dir.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::set_permissions(&closed, std::os::unix::fs::PermissionsExt::from_mode(0o555)).unwrap();
    let mut command = squall();
    command.args(["master", "--listen", "127.0.0.1:0", "--http-listen", "", "--data-dir"]).arg(&closed);
    // To root all is open.
    if rustix::process::geteuid().is_root() {
        std::os::unix::process::CommandExt::uid(&mut command, 65_534);
    }
    let (code, _, stderr) = ran(&mut command);
    assert!(code == 1 && (stderr.contains("error[SQ4026]: ") || stderr.contains("error[SQ6305]: ")), "{stderr}");
    assert!(stderr.contains("next: "), "{stderr}");
}

#[test]
fn bash_completes_verbs_and_flags() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("squall.bash");
    std::fs::write(&file, ran(squall().args(["completions", "bash"])).1).unwrap();
    let script = r#"
        source "$0"
        complete_line() { COMP_WORDS=($1); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _squall squall "${COMP_WORDS[COMP_CWORD]}"; echo "${COMPREPLY[*]}"; }
        complete_line "squall stat"
        complete_line "squall masters ba"
        complete_line "squall submit --hard-"
    "#;
    let (code, stdout, stderr) = ran(std::process::Command::new("bash").args(["-c", script]).arg(&file));
    assert_eq!((code, stdout.as_str()), (0, "status\nbackup\n--hard-memory --hard-cpu\n"), "{stderr}");
}
