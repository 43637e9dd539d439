//! Who did what, and from where: of masters too, and of who may not.

use squall_master::Env;
use squall_master::tokens::Secret;
use squall_master::tokens::wanted::{self, Wanted};
use squall_proto::v1;
use squall_proto::v1::cluster_client::ClusterClient;
use tonic::metadata::MetadataValue;
use tonic::{Code, Request, Streaming};

use crate::support::{Master, alone_with, mutation, submit, within};
use crate::three::Three;

async fn events(master: &Master, secret: &str) -> Streaming<v1::Event> {
    let watch = v1::WatchRequest { from_revision: 1, ..v1::WatchRequest::default() };
    within(ClusterClient::new(master.channel()).watch(with(watch, secret))).await.unwrap().into_inner()
}

fn with<T>(message: T, secret: &str) -> Request<T> {
    let mut request = Request::new(message);
    if !secret.is_empty() {
        let value = MetadataValue::try_from(format!("Bearer {secret}")).unwrap();
        request.metadata_mut().insert("authorization", value);
    }
    request
}

/// The first event of this kind.
async fn first(events: &mut Streaming<v1::Event>, kind: &str) -> v1::Event {
    loop {
        let event = within(events.message()).await.unwrap().unwrap();
        if event.kind == kind {
            return event;
        }
    }
}

async fn members_revision(master: &Master) -> u64 {
    within(master.cluster().masters(v1::MastersRequest {})).await.unwrap().into_inner().revision
}

#[tokio::test]
async fn changes_of_the_masters_say_whose_they_are_are_made_once_and_only_if_nothing_has_changed() {
    let mut three = Three::formed().await;
    let lost = three.follower();
    three.kill(lost).await;
    let leader = three.leader();
    let seen = members_revision(three.get(leader)).await;
    let remove = v1::RemoveMasterRequest { mutation: mutation(), name: format!("m{lost}") };
    let id = remove.mutation.clone().unwrap().request_id;
    let other = (0..3).find(|number| ![lost, leader].contains(number)).unwrap();
    let first_time = within(three.get(other).cluster().remove_master(remove.clone())).await.unwrap().into_inner();
    let again = within(three.get(leader).cluster().remove_master(remove)).await.unwrap().into_inner();
    assert_eq!((first_time.repeated, again.repeated, again.revision), (false, true, first_time.revision));
    let mut history = events(three.get(leader), "").await;
    let left = first(&mut history, "master-left").await;
    assert_eq!((left.request_id, left.revision), (id, first_time.revision));
    assert!(left.origin.starts_with("127.0.0.1:"), "{}", left.origin);

    three.wipe(lost);
    three.start(lost).await;
    let address = three.configs[lost].listen.to_string();
    let late = v1::Mutation { expected_revision: Some(seen), ..mutation().unwrap() };
    let add = v1::AddMasterRequest { mutation: Some(late), address: address.clone() };
    let refused = within(three.get(leader).cluster().add_master(add)).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused:?}");
    let now = v1::Mutation { expected_revision: Some(first_time.revision), ..mutation().unwrap() };
    let add = v1::AddMasterRequest { mutation: Some(now), address };
    let added = within(three.get(leader).cluster().add_master(add.clone())).await.unwrap().into_inner();
    let again = within(three.get(leader).cluster().add_master(add)).await.unwrap().into_inner();
    assert!(again.repeated && again.revision == added.revision, "it is done, though the members have changed by it");
    three.voters(leader, 3).await;
}

#[tokio::test]
async fn leadership_is_transferred_once_for_each_request() {
    let three = Three::formed().await;
    let follower = three.follower();
    let to = format!("m{follower}");
    let transfer = v1::TransferLeadershipRequest { mutation: mutation(), to: to.clone() };
    let answer = within(three.get(follower).cluster().transfer_leadership(transfer.clone())).await.unwrap();
    assert_eq!(answer.into_inner().leader, to);
    let without = v1::TransferLeadershipRequest { mutation: None, ..transfer.clone() };
    assert_eq!(
        within(three.get(follower).cluster().transfer_leadership(without)).await.unwrap_err().code(),
        Code::InvalidArgument
    );
    let again = within(three.get(follower).cluster().transfer_leadership(transfer)).await.unwrap();
    assert_eq!(again.into_inner().leader, to);
    let submitted = submit(three.get(follower), "words", 1).await.unwrap().applied.unwrap().revision;
    let mut history = events(three.get(follower), "").await;
    let mut transfers = 0;
    loop {
        let event = within(history.message()).await.unwrap().unwrap();
        transfers += usize::from(event.kind == "leadership-transferred");
        if event.revision >= submitted {
            break;
        }
    }
    assert_eq!(transfers, 1);
}

#[tokio::test]
async fn the_first_token_comes_from_the_data_directory_and_who_is_turned_away_is_on_record() {
    let mut data_dir = None;
    let master = alone_with(|config| {
        config.tokens.required = Some(true);
        data_dir = Some(config.data_dir.clone());
    })
    .await;
    let data_dir = data_dir.unwrap();
    for _ in 0..20 {
        let denied = within(master.cluster().tokens(v1::TokensRequest {})).await.unwrap_err();
        assert_eq!(denied.code(), Code::Unauthenticated, "{denied:?}");
    }
    let random = Env::machine().random;
    let secret = Secret::new(random.bytes());
    Wanted::new("ann".parse().unwrap(), &secret, random.number()).ask(&data_dir).unwrap();
    let made = async {
        while wanted::file(&data_dir).exists() {
            tokio::task::yield_now().await;
        }
    };
    within(made).await;
    let mut history = events(&master, secret.reveal()).await;
    let denied = first(&mut history, "access-denied").await;
    assert_eq!(denied.text, "Cluster/Tokens (SQ6201) was turned away for lack of rights");
    assert!(denied.origin.starts_with("127.0.0.1:") && denied.actor.is_empty(), "{denied:?}");
    let made = first(&mut history, "token-created").await;
    assert!(made.origin.starts_with("data directory of ") && made.actor.is_empty(), "{made:?}");

    let create = v1::CreateTokenRequest {
        mutation: mutation(),
        user: "bob".to_owned(),
        role: v1::TokenRole::Read.into(),
        expires_at_ms: 0,
    };
    let bob = within(master.cluster().create_token(with(create, secret.reveal()))).await.unwrap().into_inner();
    let denied = within(master.cluster().tokens(with(v1::TokensRequest {}, &bob.token))).await.unwrap_err();
    assert_eq!(denied.code(), Code::PermissionDenied);
    let denied = first(&mut history, "access-denied").await;
    assert_eq!((denied.actor.as_str(), denied.text.contains("SQ6203")), ("bob", true), "one for each kind: {denied:?}");
}
