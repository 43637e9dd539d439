//! What clients do at once, recorded.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::Rng;
use crate::client::{Asked, Client, Refused};
use crate::linear::{Answer, Recorder, Request};

/// One client's part: requests about a few topologies, drawn at random.
pub struct Worker {
    client: Client,
    number: u32,
    rng: Rng,
    topologies: Vec<String>,
    values: Values,
    recorder: Recorder,
    /// The revision that it saw last, by topology.
    seen: BTreeMap<String, u64>,
}

/// Numbers that no two writes share. Its clones count on together.
#[derive(Clone, Debug, Default)]
pub struct Values(Arc<AtomicU32>);

impl Values {
    fn next(&self) -> u32 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl Worker {
    /// A client with a number of its own, that shares topologies, values and the record with others.
    pub fn new(
        client: Client,
        number: u32,
        rng: Rng,
        topologies: Vec<String>,
        values: Values,
        recorder: Recorder,
    ) -> Self {
        Self { client, number, rng, topologies, values, recorder, seen: BTreeMap::new() }
    }

    /// Asks one thing; returns the revision of the change if one was acknowledged.
    ///
    /// # Errors
    /// If the API refused what it has no reason to refuse.
    pub async fn turn(&mut self) -> Result<Option<u64>, Box<Refused>> {
        let topology = self.rng.pick(&self.topologies).clone();
        let request = self.request(&topology);
        self.ask(&topology, request).await
    }

    /// Reads every topology once.
    ///
    /// # Errors
    /// If the API refused what it has no reason to refuse.
    pub async fn read_all(&mut self) -> Result<(), Box<Refused>> {
        for topology in self.topologies.clone() {
            self.ask(&topology, Request::Get).await?;
        }
        Ok(())
    }

    async fn ask(&mut self, topology: &str, request: Request) -> Result<Option<u64>, Box<Refused>> {
        let call = self.recorder.call(self.number, topology, request.clone());
        match self.client.ask(topology, &request).await {
            Asked::Answered(answer) => {
                let revision = self.learn(topology, &answer);
                call.returned(answer);
                Ok(revision)
            }
            Asked::Unknown => Ok(None),
            Asked::Refused(refused) => Err(refused),
        }
    }

    fn request(&mut self, topology: &str) -> Request {
        let slots = self.values.next();
        match self.rng.below(100) {
            0..35 => Request::Get,
            35..60 => Request::Write { slots, expected: None },
            60..75 => Request::Write { slots, expected: self.seen.get(topology).copied() },
            75..90 => Request::Activate(self.rng.percent(50)),
            _ => Request::Submit { slots },
        }
    }

    /// Keeps what the answer shows for compare-and-set; the revision of a change.
    fn learn(&mut self, topology: &str, answer: &Answer) -> Option<u64> {
        match answer {
            Answer::Applied { revision } => {
                self.seen.insert(topology.to_owned(), *revision);
                Some(*revision)
            }
            Answer::Found(seen) => {
                self.seen.insert(topology.to_owned(), seen.revision);
                None
            }
            Answer::Missing | Answer::Taken | Answer::Conflict => None,
        }
    }
}
