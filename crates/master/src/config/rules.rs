//! What a master's settings must keep together.

use std::time::Duration;

use super::{Broken, Exposure, MasterConfig, partial};

impl MasterConfig {
    /// All rules that it breaks.
    pub(super) fn breaks(&self) -> Vec<Broken> {
        let tokenless = self.tokens.required == Some(false);
        let exposure = Exposure { insecure: self.insecure, tls: &self.tls, tokenless };
        let http = self.http.listen.and_then(|address| exposure.at("http.listen", address));
        let mut broken: Vec<_> = exposure.at("listen", self.listen).into_iter().chain(http).collect();
        broken.extend(partial(&self.tls));
        if self.listen.ip().is_unspecified() && self.advertise.is_none() {
            broken.push(Broken::NotAdvertised { listen: self.listen });
        }
        let (heartbeat, dead_after) = (self.workers.heartbeat, self.workers.dead_after);
        if heartbeat < Duration::from_millis(10) {
            broken.push(Broken::NoPause);
        }
        if dead_after < heartbeat.saturating_mul(3) {
            broken.push(Broken::TooImpatient { heartbeat, dead_after });
        }
        if self.limits.message.get() < 2 << 20 {
            broken.push(Broken::MessageTooShort);
        }
        broken.extend(self.list());
        broken
    }

    fn list(&self) -> Option<Broken> {
        let repeated = (1..self.masters.len()).find(|&at| self.masters[..at].contains(&self.masters[at]));
        if let Some(at) = repeated {
            return Some(Broken::RepeatedMaster { address: self.masters[at].to_string() });
        }
        // Which port the system will choose isn't known yet.
        let own = self.advertised(self.listen);
        let known = self.advertise.is_some() || (self.listen.port() != 0 && !self.listen.ip().is_unspecified());
        let listed = self.masters.is_empty() || self.masters.contains(&own);
        (known && !listed).then(|| Broken::NotListed { own: own.to_string() })
    }
}
