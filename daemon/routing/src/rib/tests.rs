use super::*;
use crate::attributes::Attributes;
use crate::decision::{Nearness, RejectReason};
use crate::table::Internal;
use crate::testing::{attributes, hops, node, service};
use crate::time::Time;

const B: SourceId = SourceId(1);
const C: SourceId = SourceId(2);

fn sources() -> Vec<Source> {
    [("a", Nearness::Local), ("b", Nearness::Internal), ("c", Nearness::Internal)]
        .map(|(n, nearness)| Source { nearness, node: node(n) })
        .into()
}

struct Fixture {
    rib: Rib<Internal>,
    sources: Vec<Source>,
    multipath: usize,
    clock: u64,
}

impl Fixture {
    fn new() -> Self {
        Self { rib: Rib::new(), sources: sources(), multipath: 1, clock: 0 }
    }

    fn announce(&mut self, name: &str, source: SourceId, paths: Vec<Attributes>) -> u32 {
        let new: Vec<_> = paths
            .into_iter()
            .map(|a| {
                let a = Arc::new(a);
                NewPath { received: Arc::clone(&a), imported: a, rejected: None }
            })
            .collect();
        self.replace(name, source, &new)
    }

    fn replace(&mut self, name: &str, source: SourceId, new: &[NewPath]) -> u32 {
        self.clock += 1;
        let now = Time::from_millis(self.clock);
        let context = Context { sources: &self.sources, multipath: self.multipath, now };
        self.rib.replace(&service(name), source, new, &context).0
    }

    fn withdraw(&mut self, id: u32, source: SourceId) {
        self.clock += 1;
        let now = Time::from_millis(self.clock);
        let context = Context { sources: &self.sources, multipath: self.multipath, now };
        self.rib.retain(id, source, &context, |_| false);
    }

    fn best(&self, id: u32) -> Option<SourceId> {
        self.rib.net(id).usable().next().map(|p| p.source)
    }
}

/// The first implementation forgot a route when one of the peers that offered it withdrew it.
#[test]
fn one_peers_withdrawal_leaves_the_others_path() {
    let mut f = Fixture::new();
    let id = f.announce("books", B, vec![attributes("n1", 0)]);
    f.announce("books", C, vec![attributes("n1", 5)]);
    assert_eq!(f.best(id), Some(B));
    let version = f.rib.version();
    f.withdraw(id, B);
    assert_eq!(f.best(id), Some(C));
    assert_eq!(f.rib.changes_after(version, Scope::Usable).count(), 1, "the peers are told");
    f.withdraw(id, C);
    assert_eq!(f.best(id), None);
}

/// The first implementation ignored changed attributes when the path was no shorter.
#[test]
fn a_change_of_any_attribute_is_a_change() {
    type Change = fn(&mut Attributes);
    let changes: [(&str, Change); 7] = [
        ("health", |a| a.health = crate::attributes::Health::Unhealthy),
        ("port", |a| a.next_hop = crate::testing::next_hop(1, 10_001)),
        ("endpoint", |a| a.next_hop = crate::testing::next_hop(2, 10_000)),
        ("tags", |a| a.tags.insert(crate::testing::tag("public")).expect("room")),
        ("weight", |a| a.weight = std::num::NonZeroU16::MIN),
        ("schema", |a| a.schema = Some(crate::attributes::SchemaDigest([1; 32]))),
        ("region", |a| a.region = Some(crate::attributes::Region::new("eu").expect("a region"))),
    ];
    for (what, change) in changes {
        let mut f = Fixture::new();
        let id = f.announce("books", B, vec![attributes("n1", 0)]);
        let version = f.rib.version();
        let mut changed = attributes("n1", 0);
        change(&mut changed);
        f.announce("books", B, vec![changed.clone()]);
        assert_eq!(f.rib.changes_after(version, Scope::Usable).count(), 1, "{what}");
        assert_eq!(*f.rib.net(id).paths()[0].imported, changed, "{what}");
    }
}

#[test]
fn a_repeated_route_is_no_change_and_keeps_its_age() {
    let mut f = Fixture::new();
    let shared = Arc::new(attributes("n1", 0));
    let path = || [NewPath { received: Arc::clone(&shared), imported: Arc::clone(&shared), rejected: None }];
    let id = f.replace("books", B, &path());
    let version = f.rib.version();
    f.replace("books", B, &path());
    assert_eq!(f.rib.version(), version);
    assert_eq!(f.rib.net(id).paths()[0].learned_at, Time::from_millis(1));
}

/// A reader that was slow must not miss a change of the best path because another change followed.
#[test]
fn a_standby_that_changes_is_told_beside_the_change_of_the_best() {
    let mut f = Fixture::new();
    f.announce("books", B, vec![attributes("n1", 0)]);
    let version = f.rib.version();
    f.announce("books", C, vec![attributes("n1", 5)]);
    let told = |f: &Fixture, version, scope| f.rib.changes_after(version, scope).count();
    assert_eq!(told(&f, version, Scope::Usable), 1);
    assert_eq!(told(&f, version, Scope::Best), 0, "the best is as it was");
    assert_eq!(told(&f, 0, Scope::Best), 1);
    assert_eq!(told(&f, 0, Scope::Usable), 1, "each reader is told of its last change only");
}

#[test]
fn each_path_that_is_not_best_says_why() {
    let mut f = Fixture::new();
    let mut longer = attributes("n1", 0);
    longer.path = hops("acme.example/c acme.example/n1");
    let id = f.announce("books", B, vec![attributes("n1", 3), attributes("n1", 7)]);
    f.announce("books", C, vec![longer]);
    let looped = Arc::new(attributes("n1", 0));
    let rejected = Some(RejectReason::PathLoop);
    f.replace(
        "books",
        SourceId::LOCAL,
        &[NewPath { received: Arc::clone(&looped), imported: looped, rejected }],
    );
    let standings: Vec<_> = f.rib.net(id).paths().iter().map(|p| p.standing).collect();
    let lost = Standing::Rejected;
    assert_eq!(
        standings,
        [
            Standing::Best,
            lost(RejectReason::HigherMed),
            lost(RejectReason::LongerPath),
            lost(RejectReason::PathLoop)
        ]
    );
}

#[test]
fn paths_of_equal_rank_are_used_together_up_to_the_limit() {
    let mut f = Fixture::new();
    f.multipath = 2;
    let at = |last| Attributes { next_hop: crate::testing::next_hop(last, 80), ..attributes("n1", 0) };
    let id = f.announce("books", B, vec![at(1), at(1), at(2), at(3)]);
    let standings: Vec<_> = f.rib.net(id).paths().iter().map(|p| p.standing).collect();
    let standby = Standing::Rejected(RejectReason::PeerPrefersAnother);
    assert_eq!(
        standings,
        [Standing::Best, standby, Standing::Multipath, standby],
        "one next hop is used once"
    );
}

#[test]
fn a_source_is_told_of_others_paths_only() {
    let mut f = Fixture::new();
    let id = f.announce("books", B, vec![attributes("n1", 0)]);
    f.announce("books", B, vec![attributes("n1", 1)]);
    let told = |f: &Fixture| (f.rib.net(id).may_have_told(B), f.rib.net(id).may_have_told(C));
    assert_eq!(told(&f), (false, true));
    f.withdraw(id, B);
    f.announce("books", C, vec![attributes("n1", 9)]);
    assert_eq!(told(&f), (true, true), "the net was not forgotten in between");
    f.withdraw(id, C);
    f.announce("books", B, vec![attributes("n1", 0)]);
    assert_eq!(told(&f), (true, true), "B may have been told of C's path");
}

#[test]
fn a_withdrawn_net_is_forgotten_once_every_reader_knows() {
    let mut f = Fixture::new();
    let id = f.announce("books", B, vec![attributes("n1", 0)]);
    f.withdraw(id, B);
    assert_eq!(f.rib.find(&service("books")), Some(id), "a reader still has to be told");
    let mut freed = vec![];
    f.rib.read_up_to(f.rib.version(), |id| freed.push(id));
    assert_eq!(freed, [id]);
    assert_eq!((f.rib.find(&service("books")), f.rib.len()), (None, 0));
    assert_eq!(f.announce("films", B, vec![attributes("n1", 0)]), id, "its number is used again");
}

#[test]
fn a_net_that_never_had_a_usable_path_is_forgotten_too() {
    let mut f = Fixture::new();
    let denied = Arc::new(attributes("n1", 0));
    let path = NewPath {
        received: Arc::clone(&denied),
        imported: denied,
        rejected: Some(RejectReason::NoImportPolicy),
    };
    let id = f.replace("books", B, &[path]);
    f.withdraw(id, B);
    f.rib.read_up_to(f.rib.version(), |_| {});
    assert_eq!(f.rib.len(), 0);
}

#[test]
fn changes_are_remembered_for_snapshots_only_while_somebody_takes_them() {
    let mut f = Fixture::new();
    f.announce("books", B, vec![attributes("n1", 0)]);
    assert_eq!(f.rib.take_dirty(), None, "the first snapshot is made from scratch");
    f.announce("films", B, vec![attributes("n1", 0)]);
    assert_eq!(f.rib.take_dirty(), Some(vec![service("films")]));
    for med in 0..10_000 {
        f.announce("films", B, vec![attributes("n1", med)]);
    }
    assert_eq!(f.rib.take_dirty(), None, "nobody took one for long");
}
