use proptest::prelude::*;
use squall_types::cluster::Revision;

use super::*;

const NOW: UnixMillis = UnixMillis::new(1_000);

fn token(secret: &Secret, role: Role, expires_at: Option<UnixMillis>) -> Token {
    let user = "ann".parse().unwrap();
    Token { user, role, hash: secret.hash(), created_at: NOW, expires_at, revision: Revision::new(1) }
}

fn identify(
    header: Option<&str>,
    certificate: Option<&str>,
    known: Option<Token>,
    required: bool,
) -> Result<Caller, Denied> {
    let certificate = certificate.map(str::parse).transpose();
    let lookup = |hash: &SecretHash| known.filter(|token| token.hash == *hash);
    Caller::identify(header, &certificate, lookup, NOW, required)
}

#[test]
fn a_good_token_names_its_holder_and_role() {
    let secret = Secret::new([7; 32]);
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let header = format!("{scheme} {}", secret.reveal());
        let caller = identify(Some(&header), None, Some(token(&secret, Role::Operate, None)), true).unwrap();
        assert_eq!((caller.to_string(), caller.actor()), ("user ann".to_owned(), Some("ann".parse().unwrap())));
        assert_eq!(caller.may(Role::Operate), Ok(()));
        let denied = caller.may(Role::Admin).unwrap_err();
        assert_eq!(denied.to_string(), "user ann has the role operate, and this takes admin");
        assert_eq!((denied.code().number(), denied.is_unknown_caller()), (6203, false));
    }
}

#[test]
fn a_certificate_that_names_nobody_may_nothing_even_where_nobody_is_asked() {
    let secret = Secret::new([7; 32]);
    for required in [true, false] {
        let denied = identify(None, Some("squall:boss:eve"), None, required).unwrap_err();
        assert_eq!((denied.code().number(), denied.is_unknown_caller()), (6204, true));
    }
    let header = format!("Bearer {}", secret.reveal());
    let known = Some(token(&secret, Role::Read, None));
    assert!(
        identify(Some(&header), Some("squall:boss:eve"), known, true).is_ok(),
        "a token alone counts where one is shown"
    );
}

#[test]
fn an_unknown_expired_or_malformed_token_is_refused_even_where_none_is_wanted() {
    let secret = Secret::new([7; 32]);
    let header = format!("Bearer {}", secret.reveal());
    let other = token(&Secret::new([8; 32]), Role::Admin, None);
    for (header, known) in [
        (header.as_str(), None),
        (&header, Some(other)),
        (&header, Some(token(&secret, Role::Admin, Some(NOW)))),
        ("Basic abc", None),
        ("Bearer", None),
        ("Bearer sqt_short", None),
        ("", None),
    ] {
        assert_eq!(
            identify(Some(header), Some("squall:user:admin:bob"), known, false),
            Err(Denied::Unknown),
            "{header}"
        );
    }
    let still_good = token(&secret, Role::Read, Some(NOW.plus(std::time::Duration::from_millis(1))));
    assert!(identify(Some(&header), None, Some(still_good), true).is_ok());
}

#[test]
fn without_a_token_the_certificate_counts_and_without_both_what_is_required() {
    let by = |certificate| identify(None, Some(certificate), None, true).unwrap();
    assert_eq!(by("squall:user:read:bob").may(Role::Operate).unwrap_err().code().number(), 6203);
    assert_eq!(by("squall:user:admin:bob").may(Role::Admin), Ok(()));
    assert_eq!(identify(None, None, None, true), Err(Denied::NoCredentials));
    let anyone = identify(None, None, None, false).unwrap();
    assert_eq!((anyone.may(Role::Admin), anyone.actor()), (Ok(()), None));
}

#[test]
fn a_worker_speaks_for_itself_alone_and_no_person_for_a_daemon() {
    let by = |certificate| identify(None, Some(certificate), None, true).unwrap();
    let (node_1, node_2) = ("node-1".parse().unwrap(), "node-2".parse().unwrap());
    let worker = by("squall:worker:node-1");
    assert!(worker.may_be_worker(&node_1).is_ok() && worker.may(Role::Read).is_ok());
    assert!(
        worker.may_be_worker(&node_2).is_err() && worker.may(Role::Operate).is_err() && worker.may_be_master().is_err()
    );
    let master = by("squall:master:m-1");
    assert!(master.may_be_master().is_ok() && master.may_be_worker(&node_1).is_ok());
    let admin = by("squall:user:admin:bob");
    assert!(admin.may_be_master().is_err());
    assert_eq!(
        admin.may_be_worker(&node_1).unwrap_err().to_string(),
        "user bob is no worker of that name, and only that may do this"
    );
}

#[test]
fn a_secret_is_shown_by_nothing_but_reveal() {
    let secret = Secret::new([0xab; 32]);
    assert_eq!(secret.reveal(), format!("sqt_{}", "ab".repeat(32)));
    assert!(!format!("{secret:?}").contains("ab"));
}

proptest! {
    #[test]
    fn a_secret_is_read_back_and_each_has_its_own_hash(one: [u8; 32], two: [u8; 32]) {
        let (a, b) = (Secret::new(one), Secret::new(two));
        prop_assert_eq!(Secret::parse(a.reveal()), Some(a.clone()));
        prop_assert_eq!(a.hash() == b.hash(), one == two);
    }

    #[test]
    fn no_header_panics_and_only_whole_secrets_are_read(text in "\\PC{0,80}|sqt_[0-9a-fA-F]{60,66}") {
        let _ = identify(Some(&text), None, None, false);
        if let Some(secret) = Secret::parse(&text) {
            prop_assert_eq!(secret.reveal(), text);
        }
    }
}
