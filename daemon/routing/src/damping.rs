//! Route flap damping (RFC 2439): a route that comes and goes is left unused until it has been calm for a while.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use crate::rib::SourceId;
use crate::service::Service;
use crate::time::Time;

/// The most routes whose flaps are remembered. Beyond that, flaps of further routes are not counted.
pub const MAX_HISTORIES: usize = 100_000;
/// What a withdrawal adds.
const WITHDRAWAL: f64 = 1000.0;
/// What a change of attributes adds.
const CHANGE: f64 = 500.0;

/// When routes are damped. The defaults are RFC 2439's as most routers have them, and RFC 7196's higher threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DampingConfig {
    /// A withdrawal counts 1000, a change of attributes 500. Above this sum a route is not used.
    pub suppress_above: f64,
    /// Once the sum has decayed below this, it is used again.
    pub reuse_below: f64,
    /// The sum halves in this time.
    pub half_life: Duration,
    /// No route is left unused for longer than this after it has calmed down.
    pub max_suppress: Duration,
}

impl Default for DampingConfig {
    fn default() -> Self {
        Self {
            suppress_above: 6000.0,
            reuse_below: 750.0,
            half_life: Duration::from_secs(15 * 60),
            max_suppress: Duration::from_secs(60 * 60),
        }
    }
}

#[derive(Debug)]
struct History {
    /// As of `at`.
    penalty: f64,
    at: Time,
    reuse_at: Option<Time>,
}

/// The flaps of routes, by peer and service.
#[derive(Debug)]
pub(crate) struct Damping {
    config: DampingConfig,
    histories: HashMap<(SourceId, Service), History>,
    suppressed: BTreeSet<(Time, SourceId, Service)>,
}

/// What has happened to a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flap {
    Withdrawn,
    Changed,
}

impl Damping {
    pub(crate) fn new(config: DampingConfig) -> Self {
        Self { config, histories: HashMap::new(), suppressed: BTreeSet::new() }
    }

    /// Counts a flap. Gives whether the route is not to be used now.
    pub(crate) fn flapped(&mut self, source: SourceId, service: &Service, flap: Flap, now: Time) -> bool {
        let config = self.config;
        let key = (source, service.clone());
        if !self.histories.contains_key(&key) && self.histories.len() >= MAX_HISTORIES {
            self.forget_calm(now);
            if self.histories.len() >= MAX_HISTORIES {
                return false;
            }
        }
        let history =
            self.histories.entry(key.clone()).or_insert(History { penalty: 0.0, at: now, reuse_at: None });
        let added = match flap {
            Flap::Withdrawn => WITHDRAWAL,
            Flap::Changed => CHANGE,
        };
        // The ceiling from which the penalty decays to reuse within the longest time (RFC 2439 §4.2).
        let half_lives = config.max_suppress.as_secs_f64() / config.half_life.as_secs_f64();
        let ceiling = config.reuse_below * half_lives.exp2();
        history.penalty = (decayed(history, config.half_life, now) + added).min(ceiling);
        history.at = now;
        if history.penalty <= config.suppress_above && history.reuse_at.is_none() {
            return false;
        }
        let until_reuse = (history.penalty / config.reuse_below).log2() * config.half_life.as_secs_f64();
        let reuse_at = now + Duration::from_secs_f64(until_reuse.max(0.0));
        if let Some(old) = history.reuse_at.replace(reuse_at) {
            self.suppressed.remove(&(old, key.0, key.1.clone()));
        }
        self.suppressed.insert((reuse_at, key.0, key.1));
        true
    }

    /// Whether the route is not to be used now.
    pub(crate) fn is_suppressed(&self, source: SourceId, service: &Service) -> bool {
        !self.suppressed.is_empty()
            && self.histories.get(&(source, service.clone())).is_some_and(|h| h.reuse_at.is_some())
    }

    /// A route that may be used again by now, if there is one.
    pub(crate) fn released(&mut self, now: Time) -> Option<(SourceId, Service)> {
        if self.suppressed.first()?.0 > now {
            return None;
        }
        let (_, source, service) = self.suppressed.pop_first()?;
        let key = (source, service);
        if let Some(history) = self.histories.get_mut(&key) {
            history.reuse_at = None;
        }
        Some(key)
    }

    /// When a route may be used again next.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.suppressed.first().map(|s| s.0)
    }

    /// Forgets a peer.
    pub(crate) fn forget(&mut self, source: SourceId) {
        self.histories.retain(|key, _| key.0 != source);
        self.suppressed.retain(|s| s.1 != source);
    }

    fn forget_calm(&mut self, now: Time) {
        let config = self.config;
        self.histories.retain(|_, h| {
            h.reuse_at.is_some() || decayed(h, config.half_life, now) > config.reuse_below / 2.0
        });
    }
}

fn decayed(history: &History, half_life: Duration, now: Time) -> f64 {
    history.penalty * (-now.since(history.at).as_secs_f64() / half_life.as_secs_f64()).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::service;

    const B: SourceId = SourceId(1);

    fn minutes(minutes: u64) -> Time {
        Time::from_millis(minutes * 60_000)
    }

    fn damping() -> Damping {
        Damping::new(DampingConfig { suppress_above: 2000.0, ..DampingConfig::default() })
    }

    #[test]
    fn a_route_that_comes_and_goes_is_suppressed_until_it_has_calmed_down() {
        let mut d = damping();
        let books = service("books");
        assert!(!d.flapped(B, &books, Flap::Withdrawn, minutes(0)));
        assert!(!d.flapped(B, &books, Flap::Withdrawn, minutes(0)));
        assert!(d.flapped(B, &books, Flap::Changed, minutes(0)));
        assert!(d.is_suppressed(B, &books));
        assert!(!d.is_suppressed(SourceId(2), &books), "another peer's route is not");
        let reuse = d.next_deadline().expect("suppressed");
        // 2500 falls below 750 in log2(2500/750) = 1.74 half-lives of 15 minutes.
        assert!((minutes(26)..minutes(27)).contains(&reuse), "{reuse:?}");
        assert_eq!(d.released(minutes(26)), None);
        assert_eq!(d.released(minutes(27)), Some((B, books.clone())));
        assert!(!d.is_suppressed(B, &books));
        assert_eq!(d.next_deadline(), None);
    }

    #[test]
    fn rare_flaps_do_not_add_up() {
        let mut d = damping();
        for hour in 0..1000 {
            assert!(!d.flapped(B, &service("books"), Flap::Withdrawn, minutes(hour * 60)));
        }
    }

    #[test]
    fn however_often_it_flapped_it_is_used_again_within_the_longest_time() {
        let mut d = damping();
        for _ in 0..10_000 {
            d.flapped(B, &service("books"), Flap::Withdrawn, minutes(0));
        }
        assert!(d.next_deadline().expect("suppressed") <= minutes(60));
        assert_eq!(d.suppressed.len(), 1);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut d = damping();
        for i in 0..=MAX_HISTORIES {
            d.flapped(B, &service(&format!("s{i}")), Flap::Changed, minutes(0));
        }
        assert_eq!(d.histories.len(), MAX_HISTORIES);
        d.flapped(B, &service("later"), Flap::Changed, minutes(600));
        assert_eq!(d.histories.len(), 1, "calm ones make room");
    }
}
