//! What comes in is checked, what was done is not done twice, and what is refused says why.

use squall_proto::{Failure, v1};
use tonic::{Code, Status};

use crate::support::{Worker, alone, header, hello, mutation, now, request_id, submission, submit, within};

fn code(status: &Status) -> String {
    Failure::from_status(status).unwrap_or_else(|| panic!("{status:?} says nothing of itself")).code.to_string()
}

#[tokio::test]
async fn a_retry_with_the_same_request_id_is_answered_and_not_run_again() {
    let master = alone().await;
    let header = header("words", 1);
    let first = within(master.topologies().submit(submission(header.clone()))).await.unwrap().into_inner();
    let again = within(master.topologies().submit(submission(header))).await.unwrap().into_inner();
    let (first, again) = (first.applied.unwrap(), again.applied.unwrap());
    assert_eq!((first.revision, first.repeated, again.repeated), (again.revision, false, true));
    let taken = submit(&master, "words", 1).await.unwrap_err();
    assert_eq!((taken.code(), code(&taken).as_str()), (Code::AlreadyExists, "SQ5012"));
}

#[tokio::test]
async fn a_change_of_what_was_changed_meanwhile_is_refused() {
    let master = alone().await;
    let seen = submit(&master, "words", 1).await.unwrap().applied.unwrap().revision;
    let deactivate = |expected| {
        let mutation = v1::Mutation { request_id: request_id().to_string(), expected_revision: Some(expected) };
        v1::DeactivateRequest { mutation: Some(mutation), name: "words".to_owned() }
    };
    let changed = within(master.topologies().deactivate(deactivate(seen))).await.unwrap().into_inner().revision;
    assert!(changed > seen);
    let stale = within(master.topologies().deactivate(deactivate(seen))).await.unwrap_err();
    assert_eq!((stale.code(), code(&stale).as_str()), (Code::FailedPrecondition, "SQ5004"));
}

#[tokio::test]
async fn what_can_t_be_read_is_refused_and_its_field_named() {
    let master = alone().await;
    let activate = |mutation, name: &str| v1::ActivateRequest { mutation, name: name.to_owned() };
    let bad_id = Some(v1::Mutation { request_id: "7".to_owned(), expected_revision: None });
    for (request, field) in [
        (activate(None, "words"), "mutation"),
        (activate(bad_id, "words"), "mutation.request_id"),
        (activate(mutation(), "a b"), "name"),
        (activate(mutation(), &"x".repeat(100_000)), "name"),
    ] {
        let status = within(master.topologies().activate(request)).await.unwrap_err();
        assert_eq!((status.code(), code(&status).as_str()), (Code::InvalidArgument, "SQ6503"));
        assert!(status.message().contains(&format!("{field}:")), "{}", status.message());
    }
    let unknown = within(master.topologies().activate(activate(mutation(), "wrods"))).await.unwrap_err();
    assert_eq!((unknown.code(), code(&unknown).as_str()), (Code::NotFound, "SQ5001"));
}

#[tokio::test]
async fn a_topology_that_is_not_valid_is_told_all_its_problems() {
    let master = alone().await;
    let mut bad = header("words", 1);
    bad.description = bad.description.replace("\"from\":\"words\"", "\"from\":\"wrods\"");
    let status = within(master.topologies().submit(submission(bad))).await.unwrap_err();
    assert_eq!((status.code(), code(&status).as_str()), (Code::InvalidArgument, "SQ5009"));
    assert!(status.message().contains("wrods"), "{}", status.message());
    let no_json = v1::SubmitHeader { description: "{".to_owned(), ..header("words", 1) };
    let status = within(master.topologies().submit(submission(no_json))).await.unwrap_err();
    assert_eq!(code(&status), "SQ5008");
}

#[tokio::test]
async fn a_request_longer_than_allowed_is_refused() {
    let master = alone().await;
    let long = v1::SubmitHeader { description: " ".repeat(9 << 20), ..header("words", 1) };
    let status = within(master.topologies().submit(submission(long))).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
}

#[tokio::test]
async fn a_dry_run_shows_what_would_move_and_changes_nothing() {
    let master = alone().await;
    let _worker = Worker::attach(&master, hello("w1")).await.unwrap();
    let plan = |what| {
        let mut topologies = master.topologies();
        async move { within(topologies.plan(v1::PlanRequest { what: Some(what) })).await.map(tonic::Response::into_inner) }
    };
    let what = v1::plan_request::What::Submit(header("words", 2));
    let planned = plan(what).await.unwrap();
    assert_eq!(planned.moves.len(), 4, "{planned:?}");
    assert!(master.get("words").await.is_err());

    submit(&master, "words", 2).await.unwrap();
    let planned = plan(v1::plan_request::What::Kill("words".to_owned())).await.unwrap();
    assert_eq!(planned.moves.iter().filter(|change| change.to.is_none()).count(), 4, "{planned:?}");
    let planned = plan(v1::plan_request::What::Drain("w1".to_owned())).await.unwrap();
    assert!(!planned.concerns.is_empty(), "there is nowhere to go: {planned:?}");
    assert_eq!(master.get("words").await.unwrap().summary.unwrap().placed, 4);
}

#[tokio::test]
async fn a_topology_s_versions_are_listed_and_one_is_gone_back_to() {
    let master = alone().await;
    submit(&master, "words", 1).await.unwrap();
    let options = v1::SubmitOptions { update: true, ..v1::SubmitOptions::default() };
    let update = v1::SubmitHeader { options: Some(options), ..header("words", 3) };
    let updated = within(master.topologies().submit(submission(update))).await.unwrap().into_inner();
    assert_eq!(updated.version, 2);
    let rollback = v1::RollbackRequest { mutation: mutation(), name: "words".to_owned(), version: 0 };
    let back = within(master.topologies().rollback(rollback)).await.unwrap().into_inner();
    assert_eq!(back.version, 3);
    let request = v1::VersionsRequest { name: "words".to_owned() };
    let versions = within(master.topologies().versions(request)).await.unwrap().into_inner().versions;
    assert_eq!(
        versions.iter().map(|it| (it.version, it.current)).collect::<Vec<_>>(),
        [(1, false), (2, false), (3, true)]
    );
    assert_eq!(master.get("words").await.unwrap().executors.len(), 2);
}

#[tokio::test]
async fn a_token_is_shown_once_listed_without_its_secret_and_revoked() {
    let master = alone().await;
    let request = v1::CreateTokenRequest {
        mutation: mutation(),
        user: "ann".to_owned(),
        role: v1::TokenRole::Operate.into(),
        expires_at_ms: now().get() + 60_000,
    };
    let created = within(master.cluster().create_token(request.clone())).await.unwrap().into_inner();
    assert!(created.token.starts_with("sqt_"));
    let again = within(master.cluster().create_token(request)).await.unwrap_err();
    assert_eq!(again.code(), Code::AlreadyExists, "a secret that is gone can't be shown again");
    let tokens = within(master.cluster().tokens(v1::TokensRequest {})).await.unwrap().into_inner().tokens;
    assert_eq!(tokens.iter().map(|token| token.user.as_str()).collect::<Vec<_>>(), ["ann"]);
    let revoke = v1::RevokeTokenRequest { mutation: mutation(), id: created.id };
    within(master.cluster().revoke_token(revoke)).await.unwrap();
    assert!(within(master.cluster().tokens(v1::TokensRequest {})).await.unwrap().into_inner().tokens.is_empty());
}

#[tokio::test]
async fn why_says_what_decided_in_words() {
    let master = alone().await;
    submit(&master, "words", 1).await.unwrap();
    let request = v1::WhyRequest { topology: "words".to_owned(), executor: "count".to_owned() };
    let why = within(master.cluster().why(request)).await.unwrap().into_inner();
    assert_eq!(why.executors.len(), 1);
    assert!(why.lines.iter().any(|line| line.starts_with("count[2 2]: it has no place")), "{:?}", why.lines);
    let request = v1::WhyRequest { topology: "words".to_owned(), executor: "nobody".to_owned() };
    assert_eq!(within(master.cluster().why(request)).await.unwrap_err().code(), Code::NotFound);
}
