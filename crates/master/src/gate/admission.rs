//! Who is let in.

use std::collections::BTreeMap;

use squall_control::{Command, Envelope, NewToken, Seed, State, TokenId};
use squall_types::cluster::{ClusterId, FeatureLevel, RequestId, Role, UnixMillis, UserName};

use super::caller::{Asked, Behind, Security, admit};
use super::table::{CALLS, Call, call};
use crate::certs::{Identity, NotAnIdentity};
use crate::fault::Answer;
use crate::tokens::{Caller, Denied, Secret};

const NOW: UnixMillis = UnixMillis::new(1_000);
const STRICT: Security = Security { tls: true, tokens: true };
const OPEN: Security = Security { tls: false, tokens: false };

fn secret(role: Role) -> Secret {
    Secret::new([role as u8; 32])
}

/// A cluster in which there is a token of each role.
fn state() -> State {
    let cluster = ClusterId::new(1).unwrap();
    let mut state = State::new(Seed { cluster, at: NOW, level: FeatureLevel::new(1), members: BTreeMap::new() });
    for role in Role::ALL {
        let token = NewToken {
            id: TokenId::new(role as u64),
            user: role.as_str().parse().unwrap(),
            role,
            hash: secret(role).hash(),
            expires_at: Some(UnixMillis::new(2_000)),
        };
        let request = RequestId::new(NOW, role as u128);
        let command = Command::CreateToken(token);
        let envelope = Envelope { request, at: NOW, actor: None, origin: None, expected: None, command };
        assert!(state.apply(state.revision().next(), &envelope).reply.is_ok());
    }
    state
}

fn ask(path: &str, authorization: Option<&str>, identity: Option<&Identity>, security: Security) -> Answer<Behind> {
    let call = call(path).unwrap();
    let identity = Ok(identity.cloned());
    let asked = Asked { call, authorization, identity: &identity, on_behalf_of: Some("ann"), security };
    admit(&asked, Some(&state()), NOW).map_err(|turned| turned.denied.into())
}

fn bearer(role: Role) -> String {
    format!("Bearer {}", secret(role).reveal())
}

fn refused(answer: Answer<Behind>) -> String {
    answer.unwrap_err().code().to_string()
}

const STATUS: &str = "/squall.v1.Cluster/Status";
const KILL: &str = "/squall.v1.Topologies/Kill";
const BACKUP: &str = "/squall.v1.Cluster/Backup";
const LINK: &str = "/squall.v1.WorkerLink/Link";
const SEED: &str = "/squall.internal.v1.Formation/Seed";
const RAFT: &str = "/squall.internal.v1.Raft/Messages";

#[test]
fn each_role_may_what_the_table_says_and_no_more() {
    for (role, allowed) in
        [(Role::Read, &[STATUS][..]), (Role::Operate, &[STATUS, KILL]), (Role::Admin, &[STATUS, KILL, BACKUP])]
    {
        for path in [STATUS, KILL, BACKUP] {
            let answer = ask(path, Some(&bearer(role)), None, STRICT);
            if allowed.contains(&path) {
                assert_eq!(answer.unwrap().actor, Some(UserName::new(role.as_str()).unwrap()));
            } else {
                assert_eq!(refused(answer), "SQ6203", "{role} {path}");
            }
        }
    }
}

#[test]
fn without_a_good_token_nothing_but_health_and_reflection_is_answered() {
    for Call { path, .. } in CALLS {
        assert_eq!(refused(ask(path, None, None, STRICT)), "SQ6201", "{path}");
        assert_eq!(refused(ask(path, Some("Bearer nonsense"), None, STRICT)), "SQ6202", "{path}");
    }
    assert!(ask("/grpc.health.v1.Health/Check", None, None, STRICT).is_ok());
}

#[test]
fn a_token_that_has_expired_is_none() {
    let call = call(STATUS).unwrap();
    let authorization = bearer(Role::Admin);
    let asked =
        Asked { call, authorization: Some(&authorization), identity: &Ok(None), on_behalf_of: None, security: STRICT };
    let late = admit(&asked, Some(&state()), UnixMillis::new(2_000)).unwrap_err();
    assert_eq!((late.denied, late.actor), (Denied::Unknown, None));
    let early = admit(&asked, None, NOW).unwrap_err();
    assert_eq!(early.denied, Denied::Unknown, "there are no tokens before there is a cluster");
}

#[test]
fn daemons_calls_are_for_the_certificates_of_such_daemons() {
    let master = Identity::Master("m0".parse().unwrap());
    let worker = Identity::Worker("w0".parse().unwrap());
    let admin = Identity::User { name: "ann".parse().unwrap(), role: Role::Admin };
    for path in [SEED, RAFT] {
        assert!(ask(path, None, Some(&master), STRICT).is_ok());
        assert_eq!(refused(ask(path, None, Some(&worker), STRICT)), "SQ6203");
        assert_eq!(refused(ask(path, None, Some(&admin), STRICT)), "SQ6203");
        assert_eq!(refused(ask(path, Some(&bearer(Role::Admin)), None, STRICT)), "SQ6203");
    }
    assert!(ask(LINK, None, Some(&worker), STRICT).is_ok());
    assert!(ask(LINK, None, Some(&master), STRICT).is_ok(), "masters carry workers' streams");
    assert_eq!(refused(ask(LINK, None, Some(&admin), STRICT)), "SQ6203");
    assert_eq!(refused(ask(KILL, None, Some(&worker), STRICT)), "SQ6203");
}

#[test]
fn only_a_master_is_believed_on_whose_behalf_it_calls() {
    let master = Identity::Master("m0".parse().unwrap());
    let bob = Identity::User { name: "bob".parse().unwrap(), role: Role::Admin };
    let actor = |identity| ask(KILL, None, Some(identity), STRICT).unwrap().actor.map(|it| it.to_string());
    assert_eq!(actor(&master).as_deref(), Some("ann"));
    assert_eq!(actor(&bob).as_deref(), Some("bob"));
}

#[test]
fn where_nobody_is_asked_anyone_may_and_a_wrong_token_is_still_wrong() {
    for path in [STATUS, KILL, BACKUP, LINK, SEED, RAFT] {
        assert_eq!(ask(path, None, None, OPEN).unwrap(), Behind { caller: Caller::Anyone, actor: None }, "{path}");
    }
    assert_eq!(refused(ask(KILL, Some(&bearer(Role::Read)), None, OPEN)), "SQ6203");
    assert_eq!(refused(ask(KILL, Some("Bearer nonsense"), None, OPEN)), "SQ6202");
}

#[test]
fn a_certificate_that_names_nobody_opens_what_is_open_and_nothing_else() {
    let nobody = Err(NotAnIdentity::Unsaid);
    for security in [STRICT, OPEN] {
        for call in CALLS {
            let asked = Asked { call, authorization: None, identity: &nobody, on_behalf_of: Some("ann"), security };
            let turned = admit(&asked, Some(&state()), NOW).unwrap_err();
            assert_eq!(turned.denied.code().to_string(), "SQ6204", "{}", call.path);
        }
        let call = call("/grpc.health.v1.Health/Check").unwrap();
        let asked = Asked { call, authorization: None, identity: &nobody, on_behalf_of: None, security };
        assert!(admit(&asked, None, NOW).is_ok());
    }
}
