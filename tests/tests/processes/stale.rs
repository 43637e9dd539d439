//! What a checker is worth: stale answers, of a real cluster and planted, must be caught.

use squall_proto::v1::topologies_client::TopologiesClient;
use squall_proto::v1::{ListTopologiesRequest, TopologyState};
use squall_tests::cluster::SOON;
use squall_tests::linear::{Answer, History, Operation, Outcome, Recorder, Request, Seen, check};
use squall_tests::{Cluster, Line};

use crate::support::{ask, client_of, others};

const LIMIT: usize = 100_000;

/// Changes a topology through one client and records it.
async fn recorded(recorder: &Recorder, client: &mut squall_tests::client::Client, request: Request) -> Answer {
    let call = recorder.call(0, "words", request.clone());
    let answer = ask(client, "words", request).await;
    call.returned(answer.clone());
    answer
}

/// What a master says by its list, which it answers from its own state when it has no leader.
async fn listed(cluster: &Cluster, master: usize) -> (Seen, bool) {
    let answer = TopologiesClient::new(cluster.channel(master)).list(ListTopologiesRequest {}).await.unwrap();
    let answer = answer.into_inner();
    let words = &answer.topologies[0];
    let active = words.state() == TopologyState::Active;
    (Seen { revision: words.revision, active, slots: 1 }, answer.stale)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_cut_off_master_answers_as_stale_would_be_caught_as_a_linearizable_read() {
    let cluster = Cluster::start(3).await;
    let recorder = Recorder::default();
    let mut client = cluster.client(1, SOON);
    recorded(&recorder, &mut client, Request::Submit { slots: 1 }).await;
    let cut = cluster.leader_of(&[0, 1, 2]).await;
    cluster.network().between(&[cut], Line::Cut);
    let next = cluster.leader_of(&others(&cluster, cut)).await;
    recorded(&recorder, &mut client_of(&cluster, next, SOON), Request::Activate(false)).await;

    let fresh = recorder.call(1, "words", Request::Get);
    let (seen, is_stale) = listed(&cluster, next).await;
    assert!(!is_stale);
    fresh.returned(Answer::Found(seen));
    assert_eq!(check(&recorder.history(), LIMIT), Ok(()));

    let stale = recorder.call(2, "words", Request::Get);
    let (seen, is_stale) = listed(&cluster, cut).await;
    assert!(is_stale && seen.active);
    stale.returned(Answer::Found(seen));
    let error = check(&recorder.history(), LIMIT).unwrap_err();
    assert!(error.contains("the history of words isn't linearizable"), "{error}");
}

/// The history with one reader's answer replaced by what another was told before a later change was acknowledged; none, if there are no such
/// reads.
pub fn with_a_stale_read(history: &History) -> Option<History> {
    let mut operations = history.operations().to_vec();
    let (late, old) =
        (0..operations.len()).rev().find_map(|late| Some((late, older(&operations, &operations[late])?)))?;
    if let Outcome::Returned { answer, .. } = &mut operations[late].outcome {
        *answer = Answer::Found(old);
    }
    Some(History::new(operations))
}

/// What a reader of the same topology was told that can't be true any more when `late` is asked.
fn older(operations: &[Operation], late: &Operation) -> Option<Seen> {
    let Some(Answer::Found(_)) = late.answer() else { return None };
    let same = || operations.iter().filter(|it| it.call.topology == late.call.topology);
    // Each write has a number of its own, so what was before one is never seen again.
    let written = |it: &Operation| match (&it.call.request, it.answer()) {
        (Request::Write { .. }, Some(Answer::Applied { revision })) => Some(*revision),
        _ => None,
    };
    let newest = same().filter(|it| it.returned_at() < Some(late.call.at)).filter_map(written).max()?;
    same().find_map(|it| match it.answer() {
        Some(Answer::Found(seen)) if seen.revision < newest => Some(seen.clone()),
        _ => None,
    })
}
