//! Three masters over loopback: they form a cluster, and the loss of any one is not noticed.

use std::net::TcpListener;

use squall_master::config::MasterConfig;
use squall_proto::v1;
use tempfile::TempDir;

use crate::packages::{get, package, put};
use crate::support::{Master, Worker, config, hello, mutation, start, submit, within};

/// Masters that know of each other, by number.
pub struct Three {
    pub configs: Vec<MasterConfig>,
    pub disks: Vec<TempDir>,
    pub nodes: Vec<Option<Master>>,
}

impl Three {
    /// Ports from the kernel, given back just before the masters take them.
    fn new() -> Self {
        let held: Vec<_> = (0..3).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let addresses: Vec<_> = held.iter().map(|it| it.local_addr().unwrap()).collect();
        let disks: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
        let configs = addresses.iter().zip(&disks).enumerate().map(|(number, (address, disk))| {
            let mut config = config(disk);
            config.listen = *address;
            config.name = Some(format!("m{number}").parse().unwrap());
            config.masters = addresses.iter().map(|it| it.to_string().parse().unwrap()).collect();
            config
        });
        Self { configs: configs.collect(), disks, nodes: vec![None, None, None] }
    }

    pub async fn formed() -> Self {
        let mut three = Self::new();
        for number in 0..3 {
            three.start(number).await;
        }
        for node in three.nodes.iter().flatten() {
            within(node.node.ready()).await;
        }
        three
    }

    pub async fn start(&mut self, number: usize) {
        let node = start(self.configs[number].clone()).await;
        self.nodes[number] = Some(Master { node });
    }

    pub fn get(&self, number: usize) -> &Master {
        self.nodes[number].as_ref().unwrap()
    }

    pub fn leader(&self) -> usize {
        self.nodes.iter().position(|it| it.as_ref().is_some_and(|it| it.node.leads())).unwrap()
    }

    pub fn follower(&self) -> usize {
        self.nodes.iter().position(|it| it.as_ref().is_some_and(|it| !it.node.leads())).unwrap()
    }

    /// Gives a master that doesn't run an empty disk.
    pub fn wipe(&mut self, number: usize) {
        self.disks[number] = tempfile::tempdir().unwrap();
        self.configs[number].data_dir = self.disks[number].path().to_owned();
    }

    /// Waits until a master that runs waits, and says this of why.
    pub async fn waits(&self, number: usize, what: &str) {
        let mut readiness = self.get(number).node.readiness();
        let says = |it: &squall_daemon::http::Readiness| format!("{it:?}").contains(what);
        tokio::time::timeout(std::time::Duration::from_secs(20), readiness.wait_for(says))
            .await
            .unwrap_or_else(|_| panic!("{:?}", self.get(number).node.readiness().borrow().clone()))
            .unwrap();
    }

    /// Waits until there are so many masters, all with a vote, as one of them says.
    pub async fn voters(&self, asked: usize, count: usize) {
        let voters = async {
            loop {
                let masters = within(self.get(asked).cluster().masters(v1::MastersRequest {}))
                    .await
                    .unwrap()
                    .into_inner()
                    .masters;
                if masters.len() == count && masters.iter().all(|it| it.role() != v1::MasterRole::Learner) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        within(voters).await;
    }

    /// Ends a master without a word to the others.
    pub async fn kill(&mut self, number: usize) {
        let Master { node } = self.nodes[number].take().unwrap();
        within(node.kill()).await;
    }
}

#[tokio::test]
async fn three_empty_masters_form_one_cluster_and_any_takes_any_call() {
    let three = Three::formed().await;
    let status = three.get(0).status().await;
    assert_eq!((status.masters, status.masters_alive, status.stale), (3, 3, false), "{status:?}");
    for number in 0..3 {
        submit(three.get(number), &format!("words-{number}"), 1).await.unwrap();
        assert_eq!(three.get(number).status().await.cluster_id, status.cluster_id);
    }
    for number in 0..3 {
        let list =
            within(three.get(number).topologies().list(v1::ListTopologiesRequest {})).await.unwrap().into_inner();
        assert_eq!((list.topologies.len(), list.stale), (3, false));
    }
}

#[tokio::test]
async fn when_the_leader_dies_the_next_call_to_another_works() {
    let mut three = Three::formed().await;
    submit(three.get(0), "words", 1).await.unwrap();
    let (leader, follower) = (three.leader(), three.follower());
    three.kill(leader).await;
    let deactivate = v1::DeactivateRequest { mutation: mutation(), name: "words".to_owned() };
    within(three.get(follower).topologies().deactivate(deactivate)).await.unwrap();
    let topology = three.get(follower).get("words").await.unwrap();
    assert_eq!(topology.summary.unwrap().state(), v1::TopologyState::Inactive);
    // It comes back from its own disk, and catches up.
    three.start(leader).await;
    within(three.get(leader).node.ready()).await;
    let topology = three.get(leader).get("words").await.unwrap();
    assert_eq!(topology.summary.unwrap().state(), v1::TopologyState::Inactive);
}

#[tokio::test]
async fn a_leader_that_is_told_to_stop_hands_over_first() {
    let mut three = Three::formed().await;
    let leader = three.leader();
    let Master { node } = three.nodes[leader].take().unwrap();
    tokio::time::timeout(std::time::Duration::from_secs(2), node.shutdown()).await.unwrap().unwrap();
    submit(three.get(three.follower()), "words", 1).await.unwrap();
}

#[tokio::test]
async fn without_a_majority_what_is_known_is_told_and_marked_as_stale() {
    let mut three = Three::formed().await;
    submit(three.get(0), "words", 1).await.unwrap();
    let left = three.follower();
    for number in (0..3).filter(|number| *number != left) {
        three.kill(number).await;
    }
    let status = three.get(left).status().await;
    assert_eq!((status.stale, status.health(), status.topologies), (true, v1::Health::Red, 1), "{status:?}");
    assert!(status.concerns[0].next_step.contains("squall masters recover"), "{status:?}");
    let list = within(three.get(left).topologies().list(v1::ListTopologiesRequest {})).await.unwrap().into_inner();
    assert!(list.stale);
}

#[tokio::test]
async fn a_worker_s_stream_is_carried_to_the_leader_by_any_master() {
    let three = Three::formed().await;
    let mut worker = Worker::attach(three.get(three.follower()), hello("w1")).await.unwrap();
    submit(three.get(three.leader()), "words", 1).await.unwrap();
    worker.told(|desired| !desired.slots.is_empty()).await;
}

#[tokio::test]
async fn a_package_is_on_every_master_soon_and_comes_from_any() {
    let three = Three::formed().await;
    let (id, bytes) = package(2_000_000);
    put(three.get(three.follower()), &id, bytes.len(), 0, &bytes).await.unwrap();
    for number in 0..3 {
        let fetched = async {
            loop {
                match get(three.get(number), &id, 0).await {
                    Ok(fetched) => return fetched,
                    Err(status) => assert_eq!(status.code(), tonic::Code::NotFound, "{status:?}"),
                }
                tokio::task::yield_now().await;
            }
        };
        assert_eq!(within(fetched).await, bytes);
    }
}

#[tokio::test]
async fn a_master_that_lost_its_disk_waits_and_is_replaced() {
    let mut three = Three::formed().await;
    submit(three.get(0), "words", 1).await.unwrap();
    let lost = three.follower();
    three.kill(lost).await;
    three.wipe(lost);
    three.start(lost).await;
    three.waits(lost, &format!("squall masters replace m{lost}")).await;
    let replace = v1::ReplaceMasterRequest { mutation: mutation(), name: format!("m{lost}") };
    within(three.get(three.leader()).cluster().replace_master(replace)).await.unwrap();
    within(three.get(lost).node.ready()).await;
    three.voters(lost, 3).await;
    assert!(three.get(lost).get("words").await.is_ok());
}
