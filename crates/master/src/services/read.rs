//! What comes from the network, turned into the vocabulary: nothing that isn't checked passes here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use squall_control::{Options, Rebalance, Submit};
use squall_proto::v1;
use squall_types::ComponentId;
use squall_types::cluster::{BlobId, Revision, Role, TopologyName};
use squall_types::codes;
use squall_types::topology::Topology;

use crate::core::Wish;
use crate::fault::{Answer, Fault};
use crate::gate::Passage;

/// The most entries of a map or a list in a request.
const MOST_ENTRIES: usize = 10_000;

/// The extensions of a request that has passed the gate.
pub(crate) fn passage<T>(request: &tonic::Request<T>) -> Answer<Passage> {
    request.extensions().get::<Passage>().cloned().ok_or_else(|| Fault::field("call", "it came around the gate"))
}

/// A text that has a type of its own.
pub(crate) fn parsed<T: FromStr<Err: Display>>(field: &str, text: &str) -> Answer<T> {
    text.parse().map_err(|error| Fault::field(field, error))
}

/// What a mutation says of itself.
pub(crate) fn wish(mutation: Option<v1::Mutation>, passage: Passage) -> Answer<Wish> {
    let mutation = mutation.ok_or_else(|| Fault::field("mutation", "each call that changes something needs it"))?;
    let request = parsed("mutation.request_id", &mutation.request_id)?;
    Ok(Wish {
        request,
        at: None,
        expected: mutation.expected_revision.map(Revision::new),
        actor: passage.actor,
        origin: Some(passage.origin),
    })
}

fn few(field: &str, count: usize) -> Answer<()> {
    if count <= MOST_ENTRIES {
        Ok(())
    } else {
        Err(Fault::field(field, format!("{count} entries; at most {MOST_ENTRIES} are taken")))
    }
}

/// A topology to be run, and its package's length.
pub(crate) fn submit(header: v1::SubmitHeader) -> Answer<(Submit, u64)> {
    few("config", header.config.len())?;
    let v1::SubmitHeader { description, package, package_size, config, options, .. } = header;
    let options = options.unwrap_or_default();
    few("options.anti_affinity", options.anti_affinity.len())?;
    let topology = topology(&description)?;
    let package = if package.is_empty() { None } else { Some(parsed::<BlobId>("package", &package)?) };
    let submit = Submit {
        name: parsed("description.name", &topology.name)?,
        description: description.into(),
        package,
        config: config.into_iter().collect(),
        inactive: options.inactive,
        update: options.update,
        options: placement(options)?,
    };
    Ok((submit, package_size))
}

fn topology(description: &str) -> Answer<Topology> {
    let topology: Topology = serde_json::from_str(description).map_err(|error| {
        let cause = format!(
            "the description can't be read as a topology, from line {}, column {} on",
            error.line(),
            error.column()
        );
        let next_step = "submit what the topology's program prints with --describe";
        Fault::new(tonic::Code::InvalidArgument, codes::UNREADABLE_TOPOLOGY, cause, next_step)
    })?;
    // Decided again where it is applied; here all its problems can be told.
    topology.clone().validate().map_err(|invalid| {
        let next_step = "mend the topology; squall explain tells about each problem's code";
        Fault::new(tonic::Code::InvalidArgument, codes::INVALID_TOPOLOGY, &invalid, next_step)
    })?;
    Ok(topology)
}

fn placement(options: v1::SubmitOptions) -> Answer<Options> {
    let names = options.anti_affinity.iter().map(|name| parsed("options.anti_affinity", name));
    Ok(Options {
        max_slots: Some(options.max_slots).filter(|slots| *slots > 0),
        anti_affinity: names.collect::<Answer<BTreeSet<TopologyName>>>()?,
        hard_memory: options.hard_memory,
        hard_cpu: options.hard_cpu,
    })
}

/// A change of how a topology is spread.
pub(crate) fn rebalance(request: v1::RebalanceRequest) -> Answer<Rebalance> {
    few("parallelism", request.parallelism.len())?;
    let component = |(id, executors): (String, u32)| -> Answer<(ComponentId, u32)> {
        // Components' names are as legal as topologies'.
        TopologyName::new(&id).map_err(|_| Fault::field("parallelism", format!("{id:?} is no component's id")))?;
        Ok((ComponentId::from(id.as_str()), executors))
    };
    Ok(Rebalance {
        name: parsed("name", &request.name)?,
        parallelism: request.parallelism.into_iter().map(component).collect::<Answer<BTreeMap<_, _>>>()?,
        max_slots: request.max_slots,
        evenly: request.evenly,
    })
}

/// How long a killed topology may take.
pub(crate) fn wait(millis: Option<u64>) -> Option<Duration> {
    millis.map(Duration::from_millis)
}

/// What a token's holder may do.
pub(crate) fn role(role: v1::TokenRole) -> Answer<Role> {
    match role {
        v1::TokenRole::Read => Ok(Role::Read),
        v1::TokenRole::Operate => Ok(Role::Operate),
        v1::TokenRole::Admin => Ok(Role::Admin),
        v1::TokenRole::Unspecified => Err(Fault::field("role", "it is one of read, operate and admin")),
    }
}
