//! Calls that say anything: what isn't fit is refused, and nothing panics.

use proptest::collection::{hash_map, vec};
use proptest::prelude::*;
use prost::Message;
use squall_control::Line;
use squall_proto::{internal, v1};

use super::{link, read};
use crate::bootstrap;
use crate::gate::Passage;
use crate::tokens::Caller;

/// A text: anything, or near to what stands in a call.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,12}",
        "[a-z0-9-]{1,8}(:[0-9]{1,6})?",
        "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
        "[0-9a-f]{62,66}",
        Just(String::new()),
    ]
}

/// What a topology could be described by: no JSON, any JSON, or a description with something else in a place.
fn description() -> impl Strategy<Value = String> {
    const WHOLE: &str = r#"{"name":"words","delivery":"at-least-once","key_groups":128,"message_timeout":"30s","max_spout_pending":1000,"config":{},"components":[{"id":"words","kind":"spout","execution":"sync","parallelism":1,"tasks":1,"streams":[{"id":"default","fields":["word"],"direct":false}],"inputs":[],"config":{},"resources":{"cpu_percent":10,"memory_mib":64},"tags":[]}]}"#;
    let changed = (0..WHOLE.len(), "[\\[\\]{}\",:0-9a-z-]{0,4}", 0_usize..3).prop_map(|(at, other, cut)| {
        let rest = (at + cut).min(WHOLE.len());
        format!("{}{other}{}", &WHOLE[..at], &WHOLE[rest..])
    });
    prop_oneof![Just(WHOLE.to_owned()), changed, "\\PC{0,40}", (1_usize..3_000).prop_map(|deep| "[".repeat(deep))]
}

prop_compose! {
    fn header()(
        request_id in text(), expected_revision: Option<u64>, description in description(), package in text(), package_size: u64,
        config in hash_map(text(), text(), 0..3), affinity in vec(text(), 0..3), max_slots: u32,
    ) -> v1::SubmitHeader {
        let options = v1::SubmitOptions { anti_affinity: affinity, max_slots, ..v1::SubmitOptions::default() };
        let mutation = Some(v1::Mutation { request_id, expected_revision });
        v1::SubmitHeader { mutation, description, package, package_size, config, options: Some(options) }
    }
}

prop_compose! {
    fn hello()(
        name in text(), cluster_id in text(), zone in text(), tags in vec(text(), 0..3), address in text(), slots: u32,
        reports in vec((any::<u32>(), text()), 0..3),
    ) -> v1::Hello {
        let report = |(number, address)| v1::SlotReport { number, address, ..v1::SlotReport::default() };
        let reports = reports.into_iter().map(report).collect();
        v1::Hello { name, cluster_id, zone, tags, address, slots, reports, ..v1::Hello::default() }
    }
}

fn passage() -> Passage {
    Passage { caller: Caller::Anyone, actor: None, origin: Line::lossy("here"), stale: false }
}

/// What is read of one call, if its bytes are one.
fn take<T: Message + Default>(bytes: &[u8], read: impl FnOnce(T)) {
    if let Ok(message) = T::decode(bytes) {
        read(message);
    }
}

fn take_hello(hello: &v1::Hello) {
    let _ = read::parsed::<squall_types::cluster::WorkerName>("hello.name", &hello.name);
    let _ = link::registration(hello);
    let _ = link::reports(&hello.reports);
}

proptest! {
    #[test]
    fn no_bytes_panic_what_reads_calls(bytes in vec(any::<u8>(), 0..120)) {
        take(&bytes, |it: v1::SubmitHeader| drop(read::submit(it)));
        take(&bytes, |it: v1::Mutation| drop(read::wish(Some(it), passage())));
        take(&bytes, |it: v1::RebalanceRequest| drop(read::rebalance(it)));
        take(&bytes, |it: v1::CreateTokenRequest| drop(read::role(it.role())));
        take(&bytes, |it: v1::Hello| take_hello(&it));
        take(&bytes, |it: v1::WorkerMessage| drop(it.kind));
        take(&bytes, |it: internal::Identity| drop(bootstrap::identity(it)));
        take(&bytes, |it: internal::SeedRequest| drop(bootstrap::seed(&it)));
    }

    #[test]
    fn no_submission_panics_what_reads_it(header in header()) {
        let _ = read::wish(header.mutation.clone(), passage());
        let bytes = header.encode_to_vec();
        prop_assert_eq!(&v1::SubmitHeader::decode(&*bytes).unwrap(), &header);
        if let Ok((submit, size)) = read::submit(header.clone()) {
            prop_assert_eq!((size, submit.package.is_some()), (header.package_size, !header.package.is_empty()));
        }
    }

    #[test]
    fn no_worker_panics_what_reads_its_hello(hello in hello()) {
        take_hello(&hello);
        if let Ok(registration) = link::registration(&hello) {
            prop_assert_eq!(registration.address.as_str(), hello.address);
        }
    }
}
